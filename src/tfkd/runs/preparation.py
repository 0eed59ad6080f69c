"""How the network of a recipe is shown photographs: joined from the data's settings and its own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tfkd.data.settings import PHOTOGRAPH_SIZE, PHOTOGRAPHS

if TYPE_CHECKING:
    from tfkd.runs.settings import Recipe


def prepared(recipe: Recipe) -> Recipe:
    """Return a recipe that says how its photographs are shown, where its network has an own way.

    For imagenet and folders, what the recipe leaves open of `image_size`, `fit`, `crop_fraction`,
    `interpolation`, `mean` and `std` is filled from timm's configuration of the student, so that no
    value stays implicit. Of other networks and data nothing is filled.

    Args:
        recipe: with its student.

    Raises:
        ValueError: if nobody knows the student, if it is for smaller images, or timm's own way is
            none of ours.

    Example:
        >>> from tfkd.data import DataSettings
        >>> from tfkd.runs import Recipe
        >>> found = prepared(Recipe(data=DataSettings("folder"), student="timm/resnet18"))
        >>> found.data.image_size, found.data.crop_fraction, found.data.interpolation
        (224, 0.95, 'bicubic')
    """
    data = recipe.data
    if data.name not in PHOTOGRAPHS and data.image_size is None:
        return recipe
    from tfkd.models.preparation import check_image_size, preparation_of  # imports torch

    own = preparation_of(recipe.student) if data.name in PHOTOGRAPHS else None
    if own is None:
        check_image_size(recipe.student, data.image_size or PHOTOGRAPH_SIZE)
        return recipe
    filled = {name: value for name, value in own._asdict().items() if getattr(data, name) is None}
    for name, value in filled.items():
        if value is None:
            raise ValueError(
                f"Expected a value of `{name}` for {recipe.student}, got none: timm's own is none "
                "that is known here."
            )
    return replace(recipe, data=replace(data, **filled))


def without_own(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part `recipe.data` of what was written without what its student has said itself.

    Args:
        written: the part `recipe`, as `tfkd.runs.written.nested` returns it.
    """
    data = dict(written.get("data", {}))
    if data.get("name") not in PHOTOGRAPHS or "student" not in written:
        return data
    from tfkd.models.preparation import preparation_of

    with suppress(ValueError, ModuleNotFoundError):  # that student is no longer asked for
        own = preparation_of(written["student"])
        for name, value in own._asdict().items() if own is not None else ():
            if data.get(name) == value:
                data.pop(name, None)
    return data
