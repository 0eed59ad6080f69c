"""What lies beside an exported network: how images are prepared for it, its classes, its card."""

from __future__ import annotations

import math
import textwrap
from typing import Any

from tfkd.data import DataIdentity
from tfkd.train.trained.network import TrainedNetwork

_IMPORTS = """\
import json
from pathlib import Path
"""
_BEFORE = """\
from prepare import prepare, probabilities

images = prepare("photo.jpg")
"""
_AFTER = """\
classes = json.loads(Path("classes.json").read_text(encoding="utf-8"))
print([classes[label] for label in logits.argmax(1)], probabilities(logits).max(1))
"""
_AFTER_SEVERAL = """\
classes = json.loads(Path("classes.json").read_text(encoding="utf-8"))
for row in probabilities(logits):
    print([(name, p) for name, p in zip(classes, row) if p > 0.5])
"""


def resized_to(identity: DataIdentity) -> int:
    """Return to how many pixels an image is resized before its centre is cut out."""
    size = identity.image_size
    if identity.fit == "square":
        return size
    return math.floor(size / identity.crop_fraction)


def crop_fraction(identity: DataIdentity) -> float:
    """Return the share of the resized image that is cut out, by which `resized_to` is found."""
    return 1.0 if identity.fit == "square" else identity.crop_fraction


def preprocessing(identity: DataIdentity) -> dict[str, Any]:
    """Return how an image is prepared, as `preprocessing.json` holds it.

    Args:
        identity: of the data that the network was trained on.
    """
    colours = "8-bit grey, 0.299 R + 0.587 G + 0.114 B" if identity.channels == 1 else "8-bit RGB"
    return {
        "channels": identity.channels,
        "image_size": identity.image_size,
        "fit": identity.fit,
        "resized_to": resized_to(identity),
        "crop_fraction": crop_fraction(identity),
        "interpolation": identity.interpolation,
        "mean": list(identity.mean),
        "std": list(identity.std),
        "steps": [
            f"turned as a viewer shows it; {colours}; what is transparent over white",
            *_fitting(identity),
            "divided by 255, minus mean, divided by std, channel by channel; float32, "
            "channels first",
        ],
    }


def _fitting(identity: DataIdentity) -> list[str]:
    size, larger = identity.image_size, resized_to(identity)
    how = f"{identity.interpolation}, antialiased"
    if identity.fit == "centre-crop":
        resized = f"resized so that its shorter side has {larger} pixels, {how}"
    else:
        resized = f"resized to {larger} × {larger} pixels, {how}"
    return [resized, *([f"the {size} × {size} pixels of the centre"] if larger != size else [])]


def readme(trained: TrainedNetwork, file: str, lines: str) -> str:
    """Return the text that says how the network is loaded.

    Args:
        trained: the network.
        file: that holds it.
        lines: of Python that load it, imports first, from `images` of NumPy to `logits`.
    """
    identity = trained.identity
    shape = f"(N, {identity.channels}, {identity.image_size}, {identity.image_size})"
    text = (
        f"{file} takes images {shape} in float32, prepared as preprocessing.json says, any number "
        f"of them at once, and answers with logits (N, {len(trained.classes)}), in the order of "
        "classes.json. model.json says what it was measured to be, and its temperature, by which "
        "logits are divided to be as sure as the network is right (null if there is none); "
        "`probabilities` of prepare.py does that."
    )
    how = (
        "These lines run in this folder; photo.jpg stands for an image, of which there may be "
        "several. prepare.py needs numpy and Pillow, and turns what is turned, lays what is "
        "transparent over white, and takes 16 bits and CMYK, as in training."
    )
    imports, _, loading = lines.partition("\n\n")
    several = trained.recipe.data.several_labels
    after = _AFTER_SEVERAL if several else _AFTER
    lines = f"{_IMPORTS}\n{imports}\n{_BEFORE}\n{loading}\n\n{after}"
    what = "labels, of which an image may have several" if several else "classes"
    return (
        f"{trained.recipe.student}, trained on {identity.name}, {len(trained.classes)} {what}."
        f"\n\n{textwrap.fill(text, 80)}\n\n{textwrap.fill(how, 80)}"
        f"\n\n{textwrap.indent(lines, '    ')}"
    )
