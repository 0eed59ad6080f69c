"""From flat options to the settings of a run, with the recipe that each data set asks for."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import torch

from tfkd.data import DataSettings, source_names
from tfkd.models import create_model, model_names
from tfkd.runs.settings import (
    MethodSettings,
    OptimizerSettings,
    RunSettings,
    ScheduleSettings,
    TeacherSettings,
)

# Recipes without a source are this package's own.
_SMALL_IMAGES = {
    "batch_size": 128,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "warmup_epochs": 1.0,
}
_DIGITS = {
    **_SMALL_IMAGES,
    "student": "small_cnn",
    "teacher": "wide_cnn",
    "epochs": 20,
    "schedule": "cosine",
}
# Yuan et al., 2020, arXiv 1909.11723, section 5; the warm-up is of its released code.
_CIFAR = {
    **_SMALL_IMAGES,
    "student": "mobilenet_v2",
    "teacher": "resnet18",
    "epochs": 200,
    "schedule": "step",
    "milestones": (60, 120, 160),
    "gamma": 0.2,
}
# The recipe of He et al., 2016, arXiv 1512.03385, in the 90 epochs usual since.
_IMAGENET = {
    "student": "timm/resnet18",
    "teacher": "timm/resnet50",
    "epochs": 90,
    "batch_size": 256,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "schedule": "step",
    "milestones": (30, 60, 80),
    "gamma": 0.1,
    "warmup_epochs": 0.0,
}
RECIPES: dict[str, dict[str, Any]] = {
    "digits": _DIGITS,
    "fashion-mnist": {**_DIGITS, "student": "plain_cnn", "teacher": "mobilenet_v2", "epochs": 60},
    "cifar10": _CIFAR,
    "cifar100": _CIFAR,
    "tiny-imagenet": {**_CIFAR, "gamma": 0.1},
    "imagenet": _IMAGENET,
}
# ImageNet's learning rate, scaled with the batch.
FOLDER_RECIPE: dict[str, Any] = {
    **_IMAGENET,
    "batch_size": 64,
    "learning_rate": 0.025,
    "schedule": "cosine",
    "milestones": (),
    "warmup_epochs": 1.0,
}

# Options whose name is not that of their field, as (settings, field): option.
_RENAMED = {
    (DataSettings, "root"): "data_root",
    (OptimizerSettings, "name"): "optimizer",
    (ScheduleSettings, "name"): "schedule",
}


def default_models(data: str) -> tuple[str, str]:
    """Return the names of the student and of the larger teacher for a data set.

    Example:
        >>> default_models("cifar100")
        ('mobilenet_v2', 'resnet18')
    """
    recipe = RECIPES.get(data, FOLDER_RECIPE)
    return recipe["student"], recipe["teacher"]


def run_settings(
    *,
    data: str = "digits",
    student: str | None = None,
    method: MethodSettings | None = None,
    teacher: TeacherSettings | None = None,
    save_epochs: tuple[int, ...] = (),
    seed: int = 0,
    **options: Any,
) -> RunSettings:
    """Return the settings of a run; what is None or left out is as the data set asks.

    Args:
        data: name of a data set, or path of a folder of images by class.
        student: name of the model to train.
        method: what it is trained with; None: cross-entropy.
        teacher: the network that teaches, for a method that has one.
        save_epochs: epochs after which a snapshot of the weights is kept.
        seed: of everything that is drawn, the validation split included.
        **options: fields of `RunSettings`, `DataSettings`, `OptimizerSettings` and
            `ScheduleSettings`, flat; as in the command line, `optimizer` and `schedule` are names
            and `data_root` is the `root` of the data.

    Raises:
        TypeError: for an unknown option.
        ValueError: for an unknown data set or model, or a value outside of its range.

    Example:
        >>> settings = run_settings(data="digits", learning_rate=0.05)
        >>> settings.student, settings.epochs, settings.optimizer.learning_rate
        ('small_cnn', 20, 0.05)
    """
    check_data(data)
    chosen = {**RECIPES.get(data, FOLDER_RECIPE), "student": default_models(data)[0]}
    del chosen["teacher"]
    chosen |= {name: value for name, value in options.items() if value is not None}
    if student is not None:
        chosen["student"] = student
    check_model(chosen["student"], pretrained=chosen.get("pretrained", False))
    settings = RunSettings(
        data=DataSettings(name=data, split_seed=seed, **_take(DataSettings, chosen)),
        optimizer=OptimizerSettings(**_take(OptimizerSettings, chosen)),
        schedule=ScheduleSettings(**_take(ScheduleSettings, chosen)),
        method=method or MethodSettings(),
        teacher=teacher,
        save_epochs=tuple(save_epochs),
        seed=seed,
        **_take(RunSettings, chosen),
    )
    if chosen:
        raise TypeError(f"Expected options of a run, got {', '.join(sorted(chosen))}.")
    return settings


def check_data(name: str) -> None:
    """Raise `ValueError` unless `name` is a known data set or may be the path of a folder."""
    known = source_names()
    is_path = os.sep in name or name.startswith((".", "~")) or Path(name).is_dir()
    if name not in known and not is_path:
        raise ValueError(
            f"Expected `data` to be one of {', '.join(known)} or the path of a folder, "
            f"got {name!r}."
        )


def check_model(name: str, *, pretrained: bool = False) -> None:
    """Raise `ValueError` unless `create_model` knows the name; downloads nothing."""
    with torch.device("meta"):
        create_model(name, num_classes=2, pretrained=pretrained and name in model_names())


def _take(settings: type, options: dict[str, Any]) -> dict[str, Any]:
    """Take the options that are fields of `settings` out of `options`, by the field's name."""
    taken = {}
    for field in dataclasses.fields(settings):
        option = _RENAMED.get((settings, field.name), field.name)
        if option in options:
            value = options.pop(option)
            taken[field.name] = tuple(value) if isinstance(value, (list, tuple)) else value
    return taken


def changed(settings: RunSettings, **options: Any) -> RunSettings:
    """Return settings with some options changed; what is None stays as it is.

    With other `epochs` the milestones of the schedule and the snapshots move in proportion, unless
    they are given.

    Args:
        settings: of a run.
        **options: as `run_settings` takes them.

    Raises:
        TypeError: for an unknown option.
        ValueError: for a value outside of its range.

    Example:
        >>> recipe = run_settings(data="cifar100")
        >>> shorter = changed(recipe, epochs=100)
        >>> shorter.epochs, shorter.schedule.milestones
        (100, (30, 60, 80))
    """
    chosen = {name: value for name, value in options.items() if value is not None}
    if "epochs" in chosen:
        for name, epochs in (
            ("milestones", settings.schedule.milestones),
            ("save_epochs", settings.save_epochs),
        ):
            moved = {max(round(e * chosen["epochs"] / settings.epochs), 1) for e in epochs}
            chosen.setdefault(name, sorted(moved))
    result = dataclasses.replace(
        settings,
        data=dataclasses.replace(settings.data, **_take(DataSettings, chosen)),
        optimizer=dataclasses.replace(settings.optimizer, **_take(OptimizerSettings, chosen)),
        schedule=dataclasses.replace(settings.schedule, **_take(ScheduleSettings, chosen)),
        **_take(RunSettings, chosen),
    )
    if chosen:
        raise TypeError(f"Expected options of a run, got {', '.join(sorted(chosen))}.")
    return result
