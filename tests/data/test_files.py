from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfkd.data.files import read_rgb


def _pixel(path: Path) -> tuple[int, ...]:
    image = read_rgb(path)
    assert image.mode == "RGB"
    value = image.getpixel((1, 1))
    assert isinstance(value, tuple)
    return value


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("RGB", (1, 2, 3), (1, 2, 3)),
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("RGBA", (0, 100, 200, 51), (204, 224, 244)),  # 0.2 · colour + 0.8 · 255
        ("LA", (0, 51), (204, 204, 204)),
    ],
)
def test_modes_of_png(
    tmp_path: Path, mode: str, value: int | tuple[int, ...], expected: tuple[int, ...]
) -> None:
    Image.new(mode, (4, 4), value).save(tmp_path / "x.png")
    assert _pixel(tmp_path / "x.png") == expected


def test_the_upper_8_of_16_bits_are_kept(tmp_path: Path) -> None:
    values = np.full((4, 4), 0x8CFF, dtype=np.uint16)
    for name in ("x.png", "x.tif"):
        Image.fromarray(values).save(tmp_path / name)
        assert _pixel(tmp_path / name) == (0x8C, 0x8C, 0x8C)


def test_a_transparent_palette_colour_becomes_white(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.save(tmp_path / "opaque.png")
    image.save(tmp_path / "x.png", transparency=1)
    image.save(tmp_path / "bytes.png", transparency=b"\xff\x00")
    assert _pixel(tmp_path / "opaque.png") == (10, 20, 30)
    assert _pixel(tmp_path / "x.png") == (255, 255, 255)
    assert _pixel(tmp_path / "bytes.png") == (255, 255, 255)


def test_cmyk_jpeg_is_converted(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 0, 0, 255)).save(tmp_path / "x.jpg", quality=100)
    assert max(_pixel(tmp_path / "x.jpg")) <= 2


def test_a_cut_off_file_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.jpg")
    content = (tmp_path / "x.jpg").read_bytes()
    (tmp_path / "x.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"x\.jpg"):
        read_rgb(tmp_path / "x.jpg")


def test_the_limit_on_pixels_stays_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (30, 30)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    with pytest.raises(ValueError, match=r"x\.png.*exceeds limit"):
        read_rgb(tmp_path / "x.png")


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    Image.new("F", (4, 4), 0.5).save(tmp_path / "x.tif")
    with pytest.raises(ValueError, match="no known range"):
        read_rgb(tmp_path / "x.tif")
