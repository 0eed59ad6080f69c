"""Which networks there are, for people who look for one."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

import torch

from tfkd.models._extra import needs_extra
from tfkd.models.create import TIMM, create_model, model_names

CLASSES = 1000


class KnownModel(NamedTuple):
    """A network that `create_model` knows.

    Attributes:
        name: as it takes it.
        parameters: for 1000 classes of RGB images.
        pixels: height and width that it is meant for; `small` is 8 to 64; empty if nobody says.
        weights: tags of pretrained weights that there are.
    """

    name: str
    parameters: int
    pixels: str
    weights: tuple[str, ...]


def list_known_models(pattern: str = "*") -> Iterator[KnownModel]:
    """Yield this package's networks and timm's, by their names.

    Args:
        pattern: with `*` for any letters; without, it may be anywhere in a name.

    Example:
        >>> next(list_known_models("small_")).name
        'small_cnn'
    """
    if "*" not in pattern and "?" not in pattern:
        pattern = f"*{pattern}*"
    for name in model_names():
        if fnmatchcase(name, pattern):
            yield KnownModel(name, _parameters(name), "small", ())
    with needs_extra("The list of models"):
        import timm
    tags: dict[str, list[str]] = {}
    for tagged in timm.list_pretrained():
        architecture, _, tag = tagged.partition(".")
        tags.setdefault(architecture, []).append(tag)
    for name in timm.list_models():
        if fnmatchcase(TIMM + name, pattern) or fnmatchcase(name, pattern):
            known = timm.models.get_pretrained_cfg(name, allow_unregistered=True)
            pixels = "" if known is None else str(max(known.input_size[1:]))
            typed = TIMM + name
            yield KnownModel(typed, _parameters(typed), pixels, tuple(tags.get(name, ())))


def _parameters(name: str) -> int:
    with torch.device("meta"):
        network = create_model(name, num_classes=CLASSES)
    return sum(parameter.numel() for parameter in network.parameters())
