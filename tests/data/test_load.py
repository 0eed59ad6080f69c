from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision.transforms import v2

from tfkd.data import Augmentation, DataSettings, load_data, name_and_root
from tfkd.data.settings import NAMES


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(
        ValueError, match=r"path of a folder, .* got 'cifar-1000'.* mean cifar100\?"
    ):
        load_data(DataSettings("cifar-1000"))


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    name, root = name_and_root(str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_data(DataSettings(name), root=root)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "digits"])
def test_every_source_says_what_is_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        load_data(DataSettings(name), root=str(tmp_path))
    message = str(caught.value)
    assert str(tmp_path) in message
    assert "--data-root" in message
    assert "https://" in message or "http://" in message


def test_augmentation_none() -> None:
    assert load_data(DataSettings("digits", augmentation="none")).augmentation == Augmentation()


def test_another_image_size_is_torchvision_resize() -> None:
    data = load_data(DataSettings("digits", image_size=12))
    own = load_data(DataSettings("digits"))
    pixels = data.train.official.pixels  # type: ignore[attr-defined]
    expected = v2.Resize((12, 12), antialias=True)(own.train.official.pixels)  # type: ignore[attr-defined]
    assert data.image_size == 12
    assert torch.equal(pixels, expected)


def test_the_import_is_light() -> None:
    code = (
        "import sys, tfkd.data; "
        "print([m for m in ('sklearn', 'scipy', 'torchvision', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
