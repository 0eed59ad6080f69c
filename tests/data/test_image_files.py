from __future__ import annotations

import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfkd.data.image_files import check_images, read_rgb


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
    with pytest.raises(ValueError, match=r"x\.png.*(exceeds limit|above the limit)"):
        read_rgb(tmp_path / "x.png")


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    Image.new("F", (4, 4), 0.5).save(tmp_path / "x.tif")
    with pytest.raises(ValueError, match="no known range"):
        read_rgb(tmp_path / "x.tif")


def test_colour_of_16_bits_keeps_the_upper_8(tmp_path: Path) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    # Pillow writes no such file: 3 × 3 pixels of 16-bit RGB, each row behind a filter byte.
    row = b"\0" + struct.pack(">3H", 0x0180, 0x80FF, 0xFE01) * 3
    header = struct.pack(">IIBBBBB", 3, 3, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * 3)) + chunk(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    assert _pixel(tmp_path / "x.png") == (0x01, 0x80, 0xFE)


def test_integers_of_more_than_16_bits_are_refused(tmp_path: Path) -> None:
    for value in (65536, -1):
        Image.fromarray(np.full((4, 4), value, dtype=np.int32)).save(tmp_path / "x.tif")
        with pytest.raises(ValueError, match="16 bits"):
            read_rgb(tmp_path / "x.tif")


def test_an_orientation_is_not_applied(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 3), dtype=np.uint8)
    pixels[:, :3] = 255
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    image.save(tmp_path / "x.png", exif=exif)
    with Image.open(tmp_path / "x.png") as stored:
        assert stored.getexif()[0x0112] == 6
    assert np.array_equal(np.asarray(read_rgb(tmp_path / "x.png")), pixels)


def test_of_several_frames_the_first_is_taken(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), (value, 0, 0)) for value in (200, 100)]
    for name in ("x.gif", "x.tif", "x.webp", "x.png"):
        options = {"lossless": True} if name == "x.webp" else {}
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
        assert _pixel(tmp_path / name) == (200, 0, 0)


def test_postscript_is_never_handed_to_a_program(tmp_path: Path) -> None:
    # Pillow knows EPS by its content and runs Ghostscript to draw it.
    Image.new("RGB", (8, 8)).save(tmp_path / "x.eps")
    (tmp_path / "x.eps").rename(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert image.format == "EPS"
    with pytest.raises(ValueError, match=r"x\.png.*cannot identify"):
        read_rgb(tmp_path / "x.png")


def test_what_pillow_only_warns_of_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Pillow only warns up to twice its limit; warnings may be switched off.
    Image.new("L", (30, 20)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 599)
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(tmp_path / "x.png").close()
    for read in (read_rgb, lambda path: check_images(path.parent, [path.name])):
        with (
            pytest.warns(Image.DecompressionBombWarning),
            pytest.raises(ValueError, match="limit of 599"),
        ):
            read(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)
    assert read_rgb(tmp_path / "x.png").size == (30, 20)


def test_a_bomb_in_a_few_bytes_is_found_without_unpacking_it(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"x\.png.*limit"):
        check_images(tmp_path, ["x.png"])


def test_every_bad_file_is_named_and_of_many_the_first_ten(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "good.png")
    for number in range(12):
        (tmp_path / f"bad{number}.png").write_bytes(b"")
    names = [path.name for path in sorted(tmp_path.iterdir())]
    check_images(tmp_path, ["good.png"])
    with pytest.raises(ValueError, match=r"^2 of 3 images.*bad0\.png.*bad1\.png"):
        check_images(tmp_path, ["bad0.png", "good.png", "bad1.png"])
    with pytest.raises(ValueError, match=r"^12 of 13 images.*and 2 more") as caught:
        check_images(tmp_path, names)
    assert str(caught.value).count("Expected an image at") == 10


def test_what_is_no_regular_file_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "folder.png").mkdir()
    for name, reason in (
        ("pipe.png", "not a regular"),
        ("gone.png", "no such"),
        ("folder.png", "not"),
    ):
        with pytest.raises(ValueError, match=rf"{name}.*{reason}"):
            read_rgb(tmp_path / name)


def test_names_are_in_any_script(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 9).save(tmp_path / "x.png")
    for name in (
        "größe.png",
        "猫 1.png",
        "قطة.png",
        "🐈‍⬛.png",
        "-rf.png",
        os.fsdecode(b"\xff.png"),
    ):
        shutil.copy(tmp_path / "x.png", tmp_path / name)
        assert _pixel(tmp_path / name) == (9, 9, 9)
