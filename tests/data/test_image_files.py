from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfkd.data.image_files import check_images, list_images, read_rgb
from tfkd.data.image_files.kinds import FORMATS, NAMED_FORMATS
from tfkd.data.reading import told_of_reading


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
    with pytest.raises(ValueError, match=r"x\.png.*(exceeds limit|above the limit).*[^.]\.$"):
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
    for value in (65536, -1, 200):  # of which nobody says that 255 is white
        Image.fromarray(np.full((4, 4), value, dtype=np.int32)).save(tmp_path / "x.tif")
        with pytest.raises(ValueError, match="16 bits"):
            read_rgb(tmp_path / "x.tif")


# What a viewer does for each orientation of EXIF, written with NumPy: rows, then columns.
UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p[::-1].transpose(1, 0, 2),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: p[:, ::-1].transpose(1, 0, 2),
}
CORNERS = np.zeros((64, 96, 3), dtype=np.uint8)
CORNERS[:32, :48], CORNERS[:32, 48:], CORNERS[32:, :48] = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
def test_photographs_are_set_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / f"x.{suffix}"
    exact = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}
    Image.fromarray(CORNERS).save(file, exif=exif, **exact.get(suffix, {"quality": 100}))
    found = np.asarray(read_rgb(file)).astype(int)
    expected = UPRIGHT[orientation](CORNERS).astype(int)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 6


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_metadata_leave_a_photograph_as_it_is(tmp_path: Path) -> None:
    for number, exif in enumerate((b"Exif\0\0nothing", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"")):
        file = tmp_path / f"{number}.jpg"
        Image.fromarray(CORNERS).save(file, exif=exif)
        assert read_rgb(file).size == (96, 64)


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


def _png(path: Path, bits: int, kind: int, rows: bytes, clear: tuple[int, ...]) -> Path:
    """Write what Pillow writes not: a PNG of 2 × 2 pixels with a transparent colour."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", 2, 2, bits, kind, 0, 0, 0)
    size = len(rows) // 2
    lines = b"".join(b"\0" + rows[first : first + size] for first in (0, size))
    parts = chunk(b"IHDR", header) + chunk(b"tRNS", struct.pack(f">{len(clear)}H", *clear))
    parts += chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    return path


@pytest.mark.parametrize(
    ("bits", "kind", "rows", "clear", "expected"),
    [
        (8, 2, bytes([10, 20, 30, 10, 20, 31] * 2), (10, 20, 30), [(255,) * 3, (10, 20, 31)]),
        (
            16,
            2,
            struct.pack(">6H", *([0x0A01, 0x1401, 0x1E01, 0, 0, 0x100])) * 2,
            (0x0A01, 0x1401, 0x1E01),
            [(255,) * 3, (0, 0, 1)],
        ),
        (16, 0, struct.pack(">2H", 0x1234, 0x1235) * 2, (0x1234,), [(255,) * 3, (0x12,) * 3]),
        (8, 0, bytes([77, 78] * 2), (77,), [(255,) * 3, (78,) * 3]),
        (4, 0, bytes([0x34] * 2), (3,), [(255,) * 3, (0x44,) * 3]),
        (2, 0, bytes([0b01_10_0000] * 2), (1,), [(255,) * 3, (170,) * 3]),
        (1, 0, bytes([0b01_000000] * 2), (0,), [(255,) * 3, (255,) * 3]),
        (1, 0, bytes([0b01_000000] * 2), (1,), [(0,) * 3, (255,) * 3]),
    ],
)
def test_a_transparent_colour_becomes_white(
    tmp_path: Path,
    bits: int,
    kind: int,
    rows: bytes,
    clear: tuple[int, ...],
    expected: list[tuple[int, ...]],
) -> None:
    found = np.asarray(read_rgb(_png(tmp_path / "x.png", bits, kind, rows, clear)))
    assert [tuple(pixel) for pixel in found[0].tolist()] == expected


EXACT = ["bmp", "dib", "dds", "gif", "ico", "jp2", "pcx", "png", "ppm", "qoi", "sgi", "tga", "tiff"]


@pytest.mark.parametrize("suffix", [*EXACT, "jfif", "jpe", "avif", "webp", "icns"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    size = (16, 16)
    Image.new("RGB", size, (200, 100, 50)).save(tmp_path / f"X.{suffix.upper()}")
    (found,) = list_images(tmp_path).paths
    check_images(tmp_path, [found])
    image = np.asarray(read_rgb(tmp_path / found)).astype(int)
    assert np.abs(image - (200, 100, 50)).max() <= (0 if suffix in EXACT else 12)


def test_bits_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.pbm").write_bytes(b"P1\n3 3\n1 0 1 1 0 1 1 0 1\n")
    assert list_images(tmp_path).paths == ["x.pbm"]
    assert _pixel(tmp_path / "x.pbm") == (255, 255, 255)


@pytest.mark.parametrize("name", ["IMG_0001", "photo.jpg_large", "photo.1", "x.heic"])
def test_a_file_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (4, 4), (9, 9, 9)).save(tmp_path / name, format="PNG")
    (tmp_path / "README").write_text("x" * 50)
    (tmp_path / "nothing").touch()
    os.mkfifo(tmp_path / "pipe")
    listing = list_images(tmp_path)
    assert listing.paths == [name]
    (left_out,) = listing.left_out
    assert (left_out.count, left_out.examples) == (3, ("README", "nothing", "pipe"))
    assert _pixel(tmp_path / name) == (9, 9, 9)


def test_heic_is_read_upright_by_the_package_that_reads_it(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x0112] = 6
    pillow_heif.register_heif_opener(thumbnails=False)
    Image.fromarray(CORNERS).save(tmp_path / "x.heic", quality=95, exif=exif.tobytes())
    (tmp_path / "x.heic").rename(tmp_path / "IMG_1.JPG")  # as telephones call it
    found = np.asarray(read_rgb(tmp_path / "IMG_1.JPG")).astype(int)
    expected = UPRIGHT[6](CORNERS).astype(int)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 6


def test_without_that_package_the_line_that_installs_it_is_said(tmp_path: Path) -> None:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 64
    (tmp_path / "x.heic").write_bytes(heic)
    code = (
        "import sys, pathlib; sys.modules['pillow_heif'] = None\n"
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'pillow_heif' else find(name, *a)\n"
        "from tfkd.data.image_files import read_rgb\n"
        "try: read_rgb(pathlib.Path(sys.argv[1]))\n"
        "except ValueError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "x.heic")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "x.heic, but it cannot be read: it is HEIC" in done.stdout
    assert 'pip install "tfkd[heif]"' in done.stdout


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\n<!DOCTYPE html><html>404</html>", "web page"),
        (b"\0\0\0\x20ftypisom\0\0\0\0", "a film"),
        (b"\x89PNG\r\n\x1a\n", "is damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "cannot identify"),
        (b"%PDF-1.7", "cannot identify"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "cannot identify"),
    ],
)
def test_what_a_file_is_that_is_called_an_image(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(ValueError, match=rf"x\.jpg.*{reason}"):
        check_images(tmp_path, ["x.jpg"])


def test_an_image_much_longer_than_wide_is_refused_before_it_fills_the_memory(
    tmp_path: Path,
) -> None:
    Image.new("RGB", (60_000, 2)).save(tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size < 2000
    for read in (lambda: check_images(tmp_path, ["x.png"]), lambda: read_rgb(tmp_path / "x.png")):
        with pytest.raises(ValueError, match=r"x\.png.*60000 × 2 pixels, one side more than 200"):
            read()
    Image.new("RGB", (600, 3)).save(tmp_path / "x.png")
    assert read_rgb(tmp_path / "x.png").size == (600, 3)


def test_no_decoder_is_let_at_an_image_that_draws_or_starts_programs() -> None:
    allowed = {*FORMATS, *NAMED_FORMATS.values()}
    assert not allowed & {"EPS", "WMF", "EMF", "PDF", "FPX", "MIC", "IPTC", "GRIB", "BUFR", "HDF5"}


def test_the_files_that_cannot_be_read_are_listed_for_other_programs(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "good.png")
    names = [f"{number} bad.png" for number in range(12)]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=r"python -m tfkd.data.image_files"):
        check_images(tmp_path, names)
    command = [sys.executable, "-m", "tfkd.data.image_files", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.splitlines()) == sorted(str(tmp_path / name) for name in names)


def test_how_many_files_are_opened_is_told(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (2, 2)).save(tmp_path / f"{number}.png")
    told: list[tuple[str, int, int]] = []
    with told_of_reading(lambda *said: told.append(said)):
        check_images(tmp_path, ["0.png", "1.png", "2.png"])
    assert told == [("opening", 0, 3), ("opening", 3, 3)]
