"""Writes images and folders of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_image() -> Callable[..., Path]:
    """Write an image of one value or of an array, in a mode of Pillow."""

    def write(path: Path, value: object, mode: str = "RGB", size: int = 12) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, np.ndarray):
            image = Image.fromarray(value)
        else:
            image = Image.new(mode, (size, size), value)  # type: ignore[arg-type]
        # Quality 100 leaves an even JPEG as it is, up to one level.
        image.save(path, **({"quality": 100} if path.suffix.lower() in (".jpeg", ".jpg") else {}))
        return path

    return write


@pytest.fixture
def image_folder(tmp_path: Path, write_image: Callable[..., Path]) -> Path:
    """Two classes of 10 and 15 images: PNG of noise, 16 × 20 pixels."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "pets"
    for name, count in (("cat", 10), ("dog", 15)):
        for number in range(count):
            noise = rng.integers(0, 256, (16, 20, 3), dtype=np.uint8)
            write_image(folder / name / f"{number}.png", noise)
    return folder
