"""Settings of a run: frozen, checked when made, and explicit in every value."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from torch import nn

from tfkd import dialects, methods
from tfkd._checks import check_choice, check_fraction, check_positive
from tfkd._typed import ADDED_LATER, from_dict
from tfkd.data import DataSettings
from tfkd.loss import DistillationLoss
from tfkd.teachers import Teacher
from tfkd.teachers.cache.forms import StoredForm

METHODS: dict[str, Callable[..., DistillationLoss]] = {
    function.__name__: function
    for function in (
        methods.cross_entropy,
        methods.label_smoothing,
        methods.tf_kd_reg,
        methods.tf_kd_self,
        methods.knowledge_distillation,
        dialects.paper_kd,
        dialects.paper_tf_kd_reg,
        dialects.released_kd,
        dialects.released_tf_kd_reg,
        dialects.released_label_smoothing,
    )
}
NUMBERS = ("alpha", "temperature", "confidence", "multiplier", "scale")


@cache
def _parameters(name: str) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(METHODS[name]).parameters


@dataclass(frozen=True)
class MethodSettings:
    """A method or dialect by the name of its function, with its numbers.

    Numbers left None become the function's own defaults, so that no value stays implicit.

    Raises:
        ValueError: for an unknown `name`, a number the method does not take, or one that it
            needs and did not get.
    """

    name: str = "cross_entropy"
    alpha: float | None = None
    temperature: float | None = None
    confidence: float | None = None
    multiplier: float | None = None
    scale: float | None = None

    def __post_init__(self) -> None:
        check_choice("method", self.name, tuple(METHODS))
        parameters = _parameters(self.name)
        for number in NUMBERS:
            value = getattr(self, number)
            if number == "scale":
                if METHODS[self.name].__module__ != methods.__name__:
                    if value is not None:
                        raise ValueError(f"Expected no `scale` for {self.name}: its own is fixed.")
                elif value is None:
                    object.__setattr__(self, "scale", 1.0)
            elif number not in parameters:
                if value is not None:
                    raise ValueError(
                        f"Expected no `{number}` for the method {self.name}, got {value}."
                    )
            elif value is None:
                default = parameters[number].default
                if default is inspect.Parameter.empty:
                    raise ValueError(f"Expected a value of `{number}` for {self.name}, got none.")
                object.__setattr__(self, number, default)
        if not self.needs_teacher:
            self.build(num_classes=1000)  # the ranges of its numbers
        else:
            self.build(num_classes=1000, teacher=nn.Identity())

    @property
    def needs_teacher(self) -> bool:
        """Whether the method is taught by a network."""
        return "model" in _parameters(self.name)

    def build(
        self, *, num_classes: int, teacher: nn.Module | Teacher | None = None
    ) -> DistillationLoss:
        """Return the loss.

        Args:
            num_classes: the number of classes K, at least 2.
            teacher: the network that teaches, or a `Teacher` of it, for a method that has one.
        """
        arguments: dict[str, Any] = {
            number: getattr(self, number) for number in NUMBERS if getattr(self, number) is not None
        }
        if "num_classes" in _parameters(self.name):
            arguments["num_classes"] = num_classes
        if not self.needs_teacher:
            return METHODS[self.name](**arguments)
        if teacher is None:
            raise ValueError(f"Expected a `teacher` for the method {self.name}, got none.")
        return METHODS[self.name](teacher, **arguments)


def check_teacher_cache(name: str) -> None:
    """Raise `ValueError` unless the name is `none` or that of a form outputs are stored in."""
    if name == "none":
        return
    try:
        StoredForm(name)
    except ValueError:
        raise ValueError(
            "Expected `teacher_cache` to be none, float32, float16 or top-K with a number of "
            f"classes, as top-10, got {name!r}."
        ) from None


@dataclass(frozen=True)
class TeacherSettings:
    """The network that teaches.

    Attributes:
        source: directory of a finished run, or the name of a model whose weights are in `weights`.
        epoch: the snapshot of that run kept after this epoch; None: its final weights.
        weights: safetensors file of weights, for a model by name.
        cache: `none`: it is asked at every step. Or it is asked once for every view of every sample
            and its outputs are stored, as `float32` (exactly), `float16` or `top-K`.
    """

    source: str
    epoch: int | None = None
    weights: str | None = None
    cache: str = field(default="none", metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        if self.epoch is not None and self.weights is not None:
            raise ValueError("Expected `teacher_epoch` or `teacher_weights`, got both.")
        check_teacher_cache(self.cache)


@dataclass(frozen=True)
class OptimizerSettings:
    """Optimiser: `sgd` (with `momentum`, `nesterov`) or `adamw`; weight decay on all parameters."""

    name: str = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 5e-4

    def __post_init__(self) -> None:
        check_choice("optimizer", self.name, ("sgd", "adamw"))
        check_positive("learning_rate", self.learning_rate)
        check_fraction("momentum", self.momentum)
        if self.weight_decay < 0.0:
            raise ValueError(f"Expected `weight_decay` of at least 0, got {self.weight_decay}.")


@dataclass(frozen=True)
class ScheduleSettings:
    """Course of the learning rate, set before every step.

    Attributes:
        name: `constant`, `step`, `cosine` (to 0) or `one-cycle` (Smith, 2018, arXiv 1803.09820).
        warmup_epochs: linear rise from 0 over these epochs, before all but `one-cycle`.
        milestones: for `step`: epochs after which the rate is multiplied by `gamma`.
        gamma: for `step`.
    """

    name: str = "cosine"
    warmup_epochs: float = 1.0
    milestones: tuple[int, ...] = (60, 120, 160)
    gamma: float = 0.2

    def __post_init__(self) -> None:
        check_choice("schedule", self.name, ("constant", "step", "cosine", "one-cycle"))
        check_positive("gamma", self.gamma)
        if self.warmup_epochs < 0:
            raise ValueError(f"Expected `warmup_epochs` of at least 0, got {self.warmup_epochs}.")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"Expected `milestones` to increase, got {self.milestones}.")


@dataclass(frozen=True)
class RunSettings:
    """All that determines a run.

    Attributes:
        data: the data set, its split and augmentation.
        student: name of the model to train, as `tfkd.models.create_model` takes it.
        pretrained: start from timm's pretrained weights.
        method: what it is trained with.
        teacher: who teaches, for methods that have a network for it.
        epochs: passes over the training data.
        batch_size: samples in a batch, over all processes together.
        gradient_accumulation: batches to a step of the optimiser.
        optimizer: the optimiser.
        schedule: the course of the learning rate.
        mixed_precision: `no`, `bf16` or `fp16`.
        mixup: parameter of mixup's Beta distribution (Zhang et al., 2018, arXiv 1710.09412); 0 is
            off.
        cutmix: the same for CutMix (Yun et al., 2019, arXiv 1905.04899). With both, each batch
            takes one of them at random.
        save_epochs: epochs after which a snapshot of the weights is kept.
        tensorboard: write TensorBoard event files.
        seed: of the split, the initial weights, the order of samples, augmentation and dropout.
    """

    data: DataSettings = field(default_factory=DataSettings)
    student: str = "small_cnn"
    pretrained: bool = False
    method: MethodSettings = field(default_factory=MethodSettings)
    teacher: TeacherSettings | None = None
    epochs: int = 30
    batch_size: int = 128
    gradient_accumulation: int = 1
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    mixed_precision: str = "no"
    mixup: float = 0.0
    cutmix: float = 0.0
    save_epochs: tuple[int, ...] = ()
    tensorboard: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "gradient_accumulation"):
            if getattr(self, name) < 1:
                raise ValueError(f"Expected `{name}` of at least 1, got {getattr(self, name)}.")
        check_choice("mixed_precision", self.mixed_precision, ("no", "bf16", "fp16"))
        for name in ("mixup", "cutmix", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"Expected `{name}` of at least 0, got {getattr(self, name)}.")
        for epoch in self.save_epochs:
            if not 1 <= epoch <= self.epochs:
                raise ValueError(
                    f"Expected `save_epochs` between 1 and {self.epochs}, got {epoch}."
                )
        if self.method.needs_teacher and self.teacher is None:
            raise ValueError(f"Expected a `teacher` for the method {self.method.name}, got none.")
        if not self.method.needs_teacher and self.teacher is not None:
            raise ValueError(
                f"Expected no `teacher` for the method {self.method.name}, "
                f"got {self.teacher.source}."
            )
        if self.teacher is not None and self.teacher.cache != "none":
            for name in ("mixup", "cutmix"):
                if getattr(self, name) > 0.0:
                    raise ValueError(
                        f"Expected no `teacher_cache` with {name}, got {self.teacher.cache}: the "
                        "student sees mixtures, which the teacher has to be asked about."
                    )

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested dictionaries of plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunSettings:
        """Return the settings that `to_dict` wrote.

        What an earlier version did not know yet has its default, which is what that version did.

        Raises:
            ValueError: for unknown names, other missing ones, or other types.
        """
        return from_dict(cls, values)
