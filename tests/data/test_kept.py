"""A study reads its data once; a single run, and the next study, read them anew."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from tfkd.data import load_data
from tfkd.data.kept import sources_kept
from tfkd.data.settings import DataSettings

SETTINGS = DataSettings("fashion-mnist", validation_fraction=0.5)


def write(folder, value: int) -> None:
    for part in ("train", "t10k"):
        pixels = np.full((20, 28, 28), value, np.uint8)
        labels = np.arange(20, dtype=np.uint8) % 10
        for name, array, magic in (
            ("images-idx3", pixels, 0x00000803),
            ("labels-idx1", labels, 0x00000801),
        ):
            header = struct.pack(f">{1 + array.ndim}I", magic, *array.shape)
            content = gzip.compress(header + array.tobytes())
            (folder / f"{part}-{name}-ubyte.gz").write_bytes(content)


def brightest(root) -> int:
    data = load_data(SETTINGS, root=str(root))
    return int(data.train.official.pixels.max())


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, 3)
    return tmp_path


def test_within_a_study_the_data_are_those_that_were_read_first(folder):
    with sources_kept():
        assert brightest(folder) == 3
        write(folder, 7)
        assert brightest(folder) == 3
    assert brightest(folder) == 7


def test_without_a_study_they_are_read_each_time(folder):
    assert brightest(folder) == 3
    write(folder, 7)
    assert brightest(folder) == 7


def test_other_places_are_other_data(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    write(other, 9)
    with sources_kept():
        assert [brightest(folder), brightest(other), brightest(folder)] == [3, 9, 3]
