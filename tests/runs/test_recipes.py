"""Flat options become the settings of a run; what is left out is as the data set asks."""

from __future__ import annotations

import inspect
import re

import pytest

from tfkd import cli
from tfkd.data import source_names
from tfkd.models import create_model
from tfkd.runs import MethodSettings, RunSettings
from tfkd.runs.recipes import FOLDER_RECIPE, RECIPES, check_model, default_models, run_settings


def test_every_data_set_has_a_recipe():
    assert tuple(RECIPES) == source_names()


def test_the_papers_cifar_recipe():
    # Yuan et al., 2020, section 5: 200 epochs, batch 128, rate 0.1 divided by 5 at 60, 120, 160.
    settings = run_settings(data="cifar100")
    assert (settings.epochs, settings.batch_size) == (200, 128)
    assert settings.optimizer.name == "sgd"
    assert settings.optimizer.learning_rate == 0.1
    assert settings.optimizer.momentum == 0.9
    assert settings.optimizer.weight_decay == 5e-4
    assert settings.schedule.milestones == (60, 120, 160)
    assert settings.schedule.gamma == pytest.approx(1 / 5)
    assert run_settings(data="tiny-imagenet").schedule.gamma == pytest.approx(1 / 10)


def test_an_option_overrules_the_recipe_and_none_does_not():
    settings = run_settings(data="cifar10", epochs=3, learning_rate=None, milestones=[1, 2])
    assert settings.epochs == 3
    assert settings.optimizer.learning_rate == 0.1
    assert settings.schedule.milestones == (1, 2)


def test_every_option_of_the_command_line_reaches_its_field():
    given = {
        "data_root": "somewhere",
        "train_size": 100,
        "validation_fraction": 0.2,
        "image_size": 16,
        "augmentation": "none",
        "views": 4,
        "epochs": 7,
        "batch_size": 5,
        "gradient_accumulation": 2,
        "optimizer": "adamw",
        "learning_rate": 0.03,
        "momentum": 0.8,
        "nesterov": True,
        "weight_decay": 0.01,
        "schedule": "step",
        "warmup_epochs": 2.0,
        "milestones": (3, 4),
        "gamma": 0.5,
        "mixed_precision": "bf16",
        "mixup": 0.3,
        "cutmix": 0.4,
        "pretrained": True,
        "tensorboard": True,
    }
    assert set(given) == set(inspect.signature(cli._recipe).parameters)
    settings = run_settings(data="digits", student="timm/resnet18", **given).to_dict()
    flat = {
        f"{p}.{k}": v for p in ("data", "optimizer", "schedule") for k, v in settings[p].items()
    }
    flat |= settings
    names = {"data_root": "root", "optimizer": "name", "schedule": "name"}
    places = {"data_root": "data.", "optimizer": "optimizer.", "schedule": "schedule."}
    for option, value in given.items():
        name = places.get(option, "") + names.get(option, option)
        matches = [k for k in flat if k == name or ("." not in name and k.endswith(f".{name}"))]
        assert [flat[k] for k in matches] == [value], option


def test_the_seed_splits_the_data_too():
    settings = run_settings(seed=5)
    assert (settings.seed, settings.data.split_seed) == (5, 5)


def test_the_result_survives_writing():
    settings = run_settings(method=MethodSettings("tf_kd_reg"), save_epochs=(1,))
    assert RunSettings.from_dict(settings.to_dict()) == settings


@pytest.mark.parametrize("name", [*source_names(), "./a-folder"])
def test_the_default_models_exist(name):
    for model in default_models(name):
        check_model(model)


def test_checking_a_model_allocates_nothing():
    check_model("timm/resnet50")
    with pytest.raises(ValueError, match="known model"):
        create_model("reznet18", num_classes=2)
    with pytest.raises(ValueError, match="known model"):
        run_settings(student="reznet18")


def test_wrong_options_are_named(tmp_path):
    with pytest.raises(TypeError, match="batchsize"):
        run_settings(batchsize=3)
    with pytest.raises(ValueError, match="'cifar1000'"):
        run_settings(data="cifar1000")
    with pytest.raises(ValueError, match="`pretrained`"):
        run_settings(student="small_cnn", pretrained=True)
    assert run_settings(data=str(tmp_path)).student == "timm/resnet18"


def test_the_help_tells_the_recipes():
    text = inspect.getdoc(cli.compare)
    assert text is not None
    rows = {**RECIPES, "a folder": FOLDER_RECIPE}
    for name, recipe in rows.items():
        label = {"cifar10": "cifar10, 100", "cifar100": "cifar10, 100"}.get(name, name)
        (line,) = re.findall(rf"^ +{label}  +(.*)$", text, re.MULTILINE)
        student, teacher, epochs, schedule = re.split(r"\s{2,}", line)
        assert (student, teacher) == (recipe["student"], recipe["teacher"])
        assert int(epochs) == recipe["epochs"]
        said = schedule.split(" ")
        assert said[0].rstrip(",") == recipe["schedule"]
        if recipe["schedule"] == "step":
            assert said[1].rstrip(",") == ",".join(map(str, recipe["milestones"]))
            assert float(said[3]) == recipe["gamma"]
    rates = {name: recipe["learning_rate"] for name, recipe in rows.items()}
    assert rates.pop("a folder") == 0.025 and set(rates.values()) == {0.1}
    sizes = {name: recipe["batch_size"] for name, recipe in rows.items()}
    assert sizes.pop("a folder") == 64 and sizes.pop("imagenet") == 256
    assert set(sizes.values()) == {128}
    warm = {name: recipe["warmup_epochs"] for name, recipe in rows.items()}
    assert warm.pop("imagenet") == 0.0 and set(warm.values()) == {1.0}
