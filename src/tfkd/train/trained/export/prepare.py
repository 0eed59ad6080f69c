"""How an image is prepared for the network beside this file, as preprocessing.json says.

And what its logits say: probabilities, after the temperature of model.json.

It needs numpy and Pillow alone; for HEIC files also pillow-heif.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tfkd.data.image_files.colours import to_rgb
from tfkd.data.long_images import is_long, middle_resized

with suppress(ImportError):
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)


def prepare(*files: Path | str) -> Any:
    """Return image files as the network takes them: (N, C, H, W) in float32."""
    said = json.loads(Path(__file__).with_name("preprocessing.json").read_text(encoding="utf-8"))
    images = [open_image(file) for file in files]
    if said["channels"] == 1:
        images = [image.convert("L") for image in images]
    return np.stack([_normalised(_fitted(image, said), said) for image in images])


def probabilities(logits: Any) -> Any:
    """Return probabilities (N, K) of logits (N, K), by the temperature where there is one."""
    said = json.loads(Path(__file__).with_name("model.json").read_text(encoding="utf-8"))
    scaled = np.asarray(logits, dtype=np.float64) / (said["temperature"] or 1.0)
    if said.get("several_labels"):  # each has a probability of its own
        return np.exp(-np.logaddexp(0.0, -scaled))
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def open_image(file: Path | str) -> Image.Image:
    """Return an image file in 8-bit RGB: upright, what is transparent over white."""
    with Image.open(file) as image:
        return to_rgb(image)


def _normalised(image: Image.Image, said: dict[str, Any]) -> Any:
    size = said["image_size"]
    pixels = np.asarray(image, dtype=np.float64).reshape(size, size, -1) / 255
    return ((pixels - said["mean"]) / said["std"]).transpose(2, 0, 1).astype(np.float32)


def _fitted(image: Image.Image, said: dict[str, Any]) -> Image.Image:
    """The centre of an image that is resized, with black around it where that is larger."""
    larger, size, fit = said["resized_to"], said["image_size"], said["fit"]
    method = Image.Resampling[said["interpolation"].upper()]
    if fit == "square":  # across and down, as torch does
        return image.resize((size, image.height), method).resize((size, size), method)
    if fit == "centre-crop" and is_long(image):
        image = middle_resized(image, larger, size, said["interpolation"])
    else:
        sides = [larger, larger]
        if fit == "centre-crop":
            sides = [int(larger * side / min(image.size)) for side in image.size]
        image = image.resize((sides[0], sides[1]), method)
    left, top = (
        round((side - size) / 2) if side >= size else (side - size + 1) // 2 for side in image.size
    )
    return image.crop((left, top, left + size, top + size))
