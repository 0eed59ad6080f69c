from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfkd.data import DataSettings, ImageData, load_data

Writer = Callable[..., Path]


@pytest.fixture
def tiny(tmp_path: Path, write_image: Writer) -> Path:
    folder = tmp_path / "tiny-imagenet-200"
    rng = np.random.default_rng(0)
    for wnid in ("n03", "n01"):
        for number in range(3):
            noise = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            write_image(folder / "train" / wnid / "images" / f"{wnid}_{number}.JPEG", noise)
    grey = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    write_image(folder / "train" / "n01" / "images" / "n01_9.JPEG", grey)
    (folder / "train" / "n01" / "n01_boxes.txt").write_text("n01_0.JPEG\t0\t0\t63\t63\n")
    (folder / "wnids.txt").write_text("n03\nn01\n")
    (folder / "words.txt").write_text("n01\tgoldfish, Carassius auratus\nn02\tx\nn03\tbullfrog\n")
    lines = []
    for number, wnid in enumerate(("n03", "n01", "n03")):
        write_image(folder / "val" / "images" / f"val_{number}.JPEG", number * 50, "L", 64)
        lines.append(f"val_{number}.JPEG\t{wnid}\t0\t32\t44\t62\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(lines))
    return folder


def _load(root: Path) -> ImageData:
    return load_data(DataSettings("tiny-imagenet", validation_fraction=0.0), root=str(root))


def test_pixels_and_labels(tiny: Path) -> None:
    data = _load(tiny.parent)
    assert data.classes == ("goldfish", "bullfrog")
    files = sorted((tiny / "train").glob("n01/images/*")) + sorted(
        (tiny / "train").glob("n03/images/*")
    )
    assert data.train.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    pixels = data.train.official.pixels.numpy()  # type: ignore[attr-defined]
    for got, file in zip(pixels, files, strict=True):
        with Image.open(file) as image:
            expected = np.asarray(image.convert("RGB"))
        assert np.array_equal(got, expected.transpose(2, 0, 1))
    assert data.test.labels.tolist() == [1, 0, 1]
    means = data.test.official.pixels.float().mean((1, 2, 3))  # type: ignore[attr-defined]
    assert means.tolist() == pytest.approx([0, 50, 100], abs=1)


def test_names_fall_back_to_ids_and_stay_unique(tiny: Path) -> None:
    (tiny / "words.txt").write_text("n01\tcrane, bird\nn03\tcrane, machine\n")
    assert _load(tiny).classes == ("crane (n01)", "crane (n03)")
    (tiny / "words.txt").unlink()
    assert _load(tiny).classes == ("n01", "n03")


def test_what_is_damaged_is_named(tiny: Path, write_image: Writer) -> None:
    annotations = tiny / "val" / "val_annotations.txt"
    good = annotations.read_text()
    annotations.write_text(good + "val_0.JPEG\tn99\t0\t0\t1\t1\n")
    with pytest.raises(ValueError, match="n99"):
        _load(tiny)
    annotations.write_text(good + "val_7.JPEG\tn01\t0\t0\t1\t1\n")
    with pytest.raises(ValueError, match=r"val_7\.JPEG"):
        _load(tiny)
    annotations.write_text(good)
    write_image(tiny / "val" / "images" / "val_1.JPEG", 0, "RGB", 63)
    with pytest.raises(ValueError, match=r"64 × 64.*val_1\.JPEG"):
        _load(tiny)


def test_a_class_without_images_is_named(tiny: Path) -> None:
    (tiny / "wnids.txt").write_text("n03\nn01\nn05\n")
    with pytest.raises(FileNotFoundError, match="n05"):
        _load(tiny)


@pytest.mark.parametrize("line", ["../../x.JPEG\tn01", "/etc/passwd\tn01", "a.JPEG\tn09", "a.JPEG"])
def test_annotations_out_of_range_are_refused(tiny: Path, line: str) -> None:
    (tiny / "val" / "val_annotations.txt").write_text(line)
    with pytest.raises(ValueError, match=r"val_annotations\.txt"):
        _load(tiny)


def test_ids_that_lead_elsewhere_are_refused(tiny: Path) -> None:
    for ids in ("n01\n../../n03\n", "n01\nn01\n"):
        (tiny / "wnids.txt").write_text(ids)
        with pytest.raises(ValueError, match=r"wnids\.txt"):
            _load(tiny)
    (tiny / "wnids.txt").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"wnids\.txt"):
        _load(tiny)
