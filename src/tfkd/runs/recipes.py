"""The recipe, and the networks, that each data set asks for."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from tfkd.data.settings import DataSettings
from tfkd.runs.optimizers import SGD
from tfkd.runs.schedules import Cosine, Step
from tfkd.runs.settings import Recipe


@dataclass(frozen=True)
class Defaults:
    """What a data set asks for.

    Attributes:
        recipe: of every run, with the student.
        teacher: name of a larger network.
    """

    recipe: Recipe
    teacher: str


# Recipes without a source are this package's own.
_DIGITS = Recipe(epochs=20, student="small_cnn")
# Yuan et al., 2020, arXiv 1909.11723, section 5; the warm-up is of its released code.
_CIFAR = Recipe(
    student="mobilenet_v2", epochs=200, schedule=Step(milestones=(60, 120, 160), gamma=0.2)
)
# The recipe of He et al., 2016, arXiv 1512.03385, in the 90 epochs usual since.
_IMAGENET = Recipe(
    student="timm/resnet18",
    epochs=90,
    batch_size=256,
    optimizer=SGD(learning_rate=0.1, weight_decay=1e-4),
    schedule=Step(milestones=(30, 60, 80), gamma=0.1, warmup_epochs=0.0),
)
# ImageNet's learning rate, scaled with the batch; norms and biases do not decay, as in timm.
_FOLDER = Defaults(
    replace(
        _IMAGENET,
        batch_size=64,
        optimizer=SGD(learning_rate=0.025, weight_decay=1e-4, decay_norms_and_biases=False),
        schedule=Cosine(warmup_epochs=1.0),
    ),
    teacher="timm/resnet50",
)
_DEFAULTS = {
    "digits": Defaults(_DIGITS, "wide_cnn"),
    "fashion-mnist": Defaults(replace(_DIGITS, student="plain_cnn", epochs=60), "mobilenet_v2"),
    "cifar10": Defaults(_CIFAR, "resnet18"),
    "cifar100": Defaults(_CIFAR, "resnet18"),
    "tiny-imagenet": Defaults(
        replace(_CIFAR, schedule=Step(milestones=(60, 120, 160), gamma=0.1)), "resnet18"
    ),
    "imagenet": Defaults(_IMAGENET, "timm/resnet50"),
}


def defaults(data: str) -> Defaults:
    """Return what a data set asks for.

    Args:
        data: its name; a folder's and one's own data have the same.

    Example:
        >>> found = defaults("cifar100")
        >>> found.recipe.student, found.teacher, found.recipe.optimizer.learning_rate
        ('mobilenet_v2', 'resnet18', 0.1)
    """
    found = _DEFAULTS.get(data, _FOLDER)
    return Defaults(replace(found.recipe, data=DataSettings(data)), found.teacher)
