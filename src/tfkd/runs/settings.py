"""What a run is: all that changes its numbers, in nested settings that say only what can be said.

Where and how a run is made is no part of it; that is `tfkd.runs.circumstances`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field
from msgspec.structs import force_setattr, replace

from tfkd._checks import (
    check_at_least_0,
    check_choice,
    check_encodable,
    check_integer,
)
from tfkd._field_types import check_types
from tfkd._frozen_dict import FrozenDict
from tfkd.data.settings import DataSettings
from tfkd.method_table import BASELINE, Method, check_method_number, find_method, full_name
from tfkd.runs.applies import check_applies, sampling_temperature
from tfkd.runs.optimizers import SGD, Optimizer, TimmOptimizer
from tfkd.runs.schedules import Cosine, Schedule
from tfkd.runs.several_labels import check_has_several, check_not_mixed

ModelValue = bool | int | float | str | tuple[int | float, ...]
"""What an option of a network may be."""

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tfkd.loss import Criterion
    from tfkd.teachers import Teacher


LARGEST_RATE = 1e30
"""A learning rate or weight decay that float32, in which it counts, still holds."""


_OF_RATE = dict.fromkeys(("warm_up", "ramp_up"), " The learning rate's is `warmup_epochs`.")
"""What may be meant by a number of a method that does not take it."""


class Recipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything of a run but its method and its seed.

    Attributes:
        data: the data set, its split and augmentation.
        student: network to train: one of this package or of timm, or module:function of your own.
            Default: by data.
        model_option: an option of the network itself, as in drop_path_rate=0.1; may be said several
            times. Default: none.
        pretrained: start from timm's pretrained weights.
        weights: file of weights that the student starts from, .safetensors, .pth, .pt or .bin, or
            the directory of a run; a head for other classes, by their names where they are
            known, is replaced. Default: none.
        freeze: what of the network is not trained: `none`; `backbone`, all but its classifier; or
            its first so many stages, as timm numbers them, the stem first. Default: none.
        epochs: passes over the training images, at least 1. Default: by data.
        batch_size: images in a batch, over all processes together, at least 1. Default: by data.
        gradient_accumulation: batches to a step of the optimiser, at least 1. Default: 1.
        optimizer: how the weights are changed: sgd, adamw, or any of timm's optimisers, as lamb,
            lion, adan; list_optimizers of timm.optim returns all their names. Default: sgd.
        schedule: course of the learning rate. Default: by data.
        mixed_precision: number format of the forward pass. Default: no, which is float32.
        mixup: parameter of mixup's Beta distribution (arXiv 1710.09412), at least 0. Default: 0,
            which is off.
        cutmix: the same for CutMix (arXiv 1905.04899); with both, each batch takes one of them at
            random. Default: 0, which is off.
        class_weights: `balanced`: images of a class count by training images / (classes × training
            images of that class); where an image may have several labels, one that it has by the
            images without it / the images with it. Default: none.
        clip_gradients: largest norm of the gradients of a step, which are scaled down to it.
            Default: 0, which is off.
        weight_average: decay, in [0, 1), of an average of the weights over the steps, which is
            then what is measured and kept; it is warmed up. Default: 0, which is off.
        compile: compile the training step (torch.compile): faster steps after half a minute or
            more; results differ by rounding; one process, needs a C++ compiler. Default: no.
    """

    data: DataSettings = field(default_factory=DataSettings)
    student: str = "small_cnn"
    model_option: dict[str, ModelValue] = field(default_factory=dict)
    pretrained: bool = False
    weights: str | None = None
    freeze: str = "none"
    epochs: int = 30
    batch_size: int = 128
    gradient_accumulation: int = 1
    optimizer: Optimizer = field(default_factory=SGD)
    schedule: Schedule = field(default_factory=Cosine)
    mixed_precision: Literal["no", "bf16", "fp16"] = "no"
    mixup: float = 0.0
    cutmix: float = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    clip_gradients: float = 0.0
    weight_average: float = 0.0
    compile: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("epochs", "batch_size", "gradient_accumulation"):
            check_integer(name, getattr(self, name), minimum=1)
        check_choice("mixed_precision", self.mixed_precision, ("no", "bf16", "fp16"))
        for name in ("mixup", "cutmix", "clip_gradients"):
            check_at_least_0(name, getattr(self, name))
        if not 0.0 <= self.weight_average < 1.0:
            raise ValueError(f"Expected `weight_average` in [0, 1), got {self.weight_average}.")
        check_choice("class_weights", self.class_weights, ("none", "balanced"))
        if self.data.several_labels:
            check_not_mixed({"mixup": self.mixup, "cutmix": self.cutmix})
        if not re.fullmatch("none|backbone|[1-9][0-9]{0,5}", self.freeze):
            raise ValueError(
                "Expected `freeze` to be none, backbone or a number of stages of at least 1, got "
                f"{self.freeze[:80]!r}."
            )
        if self.weights is not None:
            check_encodable("weights", self.weights)
            if self.pretrained:
                raise ValueError("Expected `weights` or `pretrained`, got both.")

    def __hash__(self) -> int:
        values = (getattr(self, name) for name in self.__struct_fields__)
        return hash(
            tuple(tuple(sorted(own.items())) if isinstance(own, dict) else own for own in values)
        )

    def for_student(self, student: str) -> Recipe:
        """Return the recipe for another network: what is one network's own is not another's."""
        if student == self.student:
            return self
        return replace(self, student=student, weights=None, model_option={})

    def build_student(
        self, *, num_classes: int, in_channels: int, image_size: int, pretrained: bool = False
    ) -> nn.Module:
        """Return the student with weights as they are drawn, or timm's.

        Args:
            num_classes: the number of classes K, at least 2.
            in_channels: channels of the images.
            image_size: their height and width in pixels.
            pretrained: whether to take timm's weights.
        """
        from tfkd.models import create_model

        return create_model(
            self.student,
            num_classes=num_classes,
            in_channels=in_channels,
            image_size=image_size,
            pretrained=pretrained,
            options=self.model_option,
        )


class MethodSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """A method of the table, in one of its dialects, with its numbers.

    Numbers that are left out become the method's own defaults, so that no value stays implicit.
    They are those of this method in this dialect: α of another is another α. So another name or
    dialect is said in new settings, not by `replace`, which would carry the numbers over.

    Attributes:
        name: of `tfkd.method_table.METHODS`, or module:function of your own; a short name, as ols,
            becomes the method's. Default: cross_entropy.
        dialect: whose formula and numbers: `tfkd`, this package's; `paper`, as printed; or
            `released`, as in the authors' code. Default: tfkd.
        numbers: by name, those that the method takes.

    Raises:
        ValueError: for an unknown name or dialect, a number that the method does not take, is out
            of its range, or that it needs and did not get.

    Example:
        >>> MethodSettings("label_smoothing").numbers
        {'alpha': 0.1, 'scale': 1.0}
    """

    name: str = BASELINE
    dialect: str = "tfkd"
    numbers: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_types(self)
        force_setattr(self, "name", full_name(self.name))
        method = find_method(self.name)
        taken = method.numbers(self.dialect)
        for number, value in self.numbers.items():
            if number not in taken:
                raise ValueError(
                    f"Expected no `{number}` for {self._named}, got {value}. "
                    f"It takes {', '.join(taken) or 'no number'}.{_OF_RATE.get(number, '')}"
                )
        complete: dict[str, float] = {}
        for number, default in taken.items():
            chosen = self.numbers.get(number, default)
            if chosen is None:
                raise ValueError(f"Expected a value of `{number}` for {self._named}, got none.")
            complete[number] = check_method_number(number, chosen)
        force_setattr(self, "numbers", FrozenDict(complete))

    @property
    def _named(self) -> str:
        return self.name if self.dialect == "tfkd" else f"{self.name} in the dialect {self.dialect}"

    @property
    def row(self) -> Method:
        """The method's row of the table."""
        return find_method(self.name)

    @property
    def has_teacher(self) -> bool:
        """Whether a network teaches."""
        return self.row.has_teacher

    def check(self, num_classes: int, *, several_labels: bool = False) -> None:
        """Raise `ValueError` for a number that is out of its range for so many classes."""
        teacher = None
        if self.has_teacher:
            from torch import nn

            teacher = nn.Identity()
        if several_labels:
            self.row.build_binary(self.numbers, teacher=teacher)
        else:
            self.build(num_classes=num_classes, teacher=teacher)

    def build(
        self,
        *,
        num_classes: int,
        teacher: nn.Module | Teacher | None = None,
        weight: Tensor | None = None,
        student: nn.Module | None = None,
        epochs: int | None = None,
        num_samples: int | None = None,
    ) -> Criterion:
        """Return the loss.

        Args:
            num_classes: the number of classes K, at least 2.
            teacher: the network that teaches, or a `Teacher` of it, for a method that has one.
            weight: (K,), of the classes; None: all count alike.
            student: the network that is trained; None, as the two that follow: a stand-in.
            epochs: of the training.
            num_samples: of the official training split.

        Raises:
            ValueError: for a number that is out of its range for so many classes.
        """
        return self.row.build(
            self.dialect,
            self.numbers,
            num_classes=num_classes,
            teacher=teacher,
            weight=weight,
            student=student,
            epochs=epochs,
            num_samples=num_samples,
        )


class RunTeacher(
    Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="run", kw_only=True
):
    """A network that a run has trained; where that run lies is no part of what it teaches.

    Attributes:
        run: directory of the run whose network teaches; or timm/NAME, or another name of a network,
            which is then trained first, alike, in a directory beside this run's; with
            --teacher-weights, the name of that network.
        epoch: teach with the weights that were kept after this epoch. Default: the final ones.
        cache: ask the network that teaches once for every view of every image, and store its
            answers, as `float32` (exactly), `float16`, `top-K`, as in top-10, or `sampled-N`, as in
            sampled-12, N draws from its probabilities at the method's temperature; `none`: it is
            asked at every step. Default: none.
    """

    run: str
    epoch: int | None = None
    cache: str = "none"

    def __post_init__(self) -> None:
        check_types(self)
        check_encodable("teacher", self.run)
        check_cache_form(self.cache)
        if self.epoch is not None:
            check_integer("teacher_epoch", self.epoch, minimum=1)

    def moved(self, change: Callable[[str], str]) -> RunTeacher:
        """Return the same teacher at another place."""
        return replace(self, run=change(self.run))


class WeightsTeacher(
    Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="weights", kw_only=True
):
    """A network by name, with weights from a file; where that lies is no part of what it teaches.

    Attributes:
        model: name of the network, as of a student.
        weights: file with the weights of the network that teaches, as of a student, or a run; its
            classes must be the data's, by name where they are known: fine-tune others first.
        cache: as of a run that teaches.
    """

    model: str
    weights: str
    cache: str = "none"

    def __post_init__(self) -> None:
        check_types(self)
        check_encodable("teacher_weights", self.weights)
        check_cache_form(self.cache)

    def moved(self, change: Callable[[str], str]) -> WeightsTeacher:
        """Return the same teacher at another place."""
        return replace(self, weights=change(self.weights))


TeacherSettings = RunTeacher | WeightsTeacher


class RunSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """All that changes the numbers of a run.

    Attributes:
        recipe: everything but method and seed.
        method: what it is trained with.
        teacher: the network that teaches, for a method that has one.
        seed: seed of the split, the initial weights, the order of images, their augmentation and
            dropout. Default: 0.
    """

    recipe: Recipe = field(default_factory=Recipe)
    method: MethodSettings = field(default_factory=MethodSettings)
    teacher: TeacherSettings | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        check_integer("seed", self.seed, minimum=0)
        if self.recipe.data.several_labels:
            cache = "none" if self.teacher is None else self.teacher.cache
            check_has_several(self.method.row, self.method.dialect, cache)
        else:
            self._check_applies()
        for name in ("learning_rate", "weight_decay"):
            if (value := getattr(self.recipe.optimizer, name)) > LARGEST_RATE:
                raise ValueError(f"Expected `{name}` of at most {LARGEST_RATE:g}, got {value:g}.")
        self._check_partners()
        if self.method.has_teacher and self.teacher is None:
            raise ValueError(f"Expected a `teacher` for the method {self.method.name}, got none.")
        if self.teacher is None:
            return
        data = self.recipe.data
        if "none" not in (self.teacher.cache, data.augmentation) and data.sampler == "balanced":
            raise ValueError(
                "Expected no `teacher_cache` with the `sampler` balanced, unless `augmentation` is "
                f"none, got {self.teacher.cache}: an image that comes several times in an epoch is "
                "another one each time."
            )
        if not self.method.has_teacher:
            raise ValueError(
                f"Expected no `teacher` for the method {self.method.name}, which no network "
                "teaches, got one."
            )
        if self.teacher.cache.startswith("sampled-"):
            sampling_temperature(self.method.name, self.method.dialect, self.method.numbers)
        for name in ("mixup", "cutmix"):
            if self.teacher.cache != "none" and getattr(self.recipe, name) > 0.0:
                raise ValueError(
                    f"Expected no `teacher_cache` with {name}, got {self.teacher.cache}: the "
                    "student sees mixtures, which the teacher has to be asked about."
                )

    def _check_applies(self) -> None:
        check_applies(
            self.method.name,
            self.method.dialect,
            self.method.numbers,
            mixtures={"mixup": self.recipe.mixup, "cutmix": self.recipe.cutmix},
            weighted=self.recipe.class_weights != "none",
        )

    def _check_partners(self) -> None:
        """Refuse what has no meaning where something is shown beside each image."""
        partners = self.method.row.partners
        if partners == "none":
            return
        why = "of a mixture no image is of the same class"
        if partners == "the last batch":
            why = "the last batch, shown once more, would be another mixture"
        for name in ("mixup", "cutmix"):
            if (value := getattr(self.recipe, name)) > 0.0:
                raise ValueError(
                    f"Expected no `{name}` with the method {self.method.name}, got {value}: {why}."
                )
        if self.method.has_teacher and self.teacher is not None and self.teacher.cache != "none":
            raise ValueError(
                f"Expected no `teacher_cache` with the method {self.method.name}, got "
                f"{self.teacher.cache}: the teacher is asked about other images than the student."
            )


def check_cache_form(form: str) -> None:
    """Raise `ValueError` unless it is `none` or the name of a form that answers are stored in."""
    if not re.fullmatch("none|float32|float16|top-[1-9][0-9]*|sampled-[1-9][0-9]{0,3}", form):
        raise ValueError(
            "Expected `teacher_cache` to be none, float32, float16 or top-K with a number of "
            "classes, as top-10, or sampled-N with a number of draws below 10000, as sampled-12, "
            f"got {form[:80]!r}."
        )


def variant(part: Optimizer | Schedule) -> str:
    """Return what a part that has variants is called.

    Example:
        >>> from tfkd.runs import OneCycle
        >>> variant(OneCycle())
        'one-cycle'
    """
    if isinstance(part, TimmOptimizer):
        return part.algorithm
    return str(type(part).__struct_config__.tag)
