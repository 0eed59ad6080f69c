from __future__ import annotations

import os
import pickle
import resource
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tfkd.data.sources.unpickle import load_arrays

DATA = np.arange(2 * 3072, dtype=np.int64).astype(np.uint8).reshape(2, 3072)


def test_python2_style_is_read_as_pickle_itself_reads_it(
    python2_pickle: Callable[[dict[bytes, object]], bytes],
) -> None:
    content = python2_pickle({b"data": DATA, b"labels": [3, 1], b"label_names": [b"a", b"b"]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = pickle.loads(content, encoding="bytes")
    got = load_arrays(content, "x")
    assert got.keys() == expected.keys() == {b"data", b"labels", b"label_names"}
    assert np.array_equal(got[b"data"], expected[b"data"])
    assert np.array_equal(got[b"data"], DATA)
    assert got[b"labels"] == [3, 1]
    assert got[b"label_names"] == [b"a", b"b"]


def test_python3_style_is_read(tmp_path: Path) -> None:
    content = pickle.dumps({b"data": DATA, b"labels": [0, 1]}, protocol=2)
    assert np.array_equal(load_arrays(content, "x")[b"data"], DATA)


def test_fortran_order_is_respected() -> None:
    array = np.asfortranarray(DATA)
    content = pickle.dumps({b"data": array}, protocol=2)
    assert np.array_equal(load_arrays(content, "x")[b"data"], DATA)


class _Call:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("inside", [False, True])
def test_nothing_a_file_names_is_run(tmp_path: Path, protocol: int, inside: bool) -> None:
    mark = tmp_path / "mark"
    for call in (_Call(os.mkdir, str(mark)), _Call(eval, f"open({str(mark)!r}, 'w')")):
        content = pickle.dumps({b"data": call} if inside else call, protocol=protocol)
        with pytest.raises(ValueError, match=r"bad_batch.*refused.*it names"):
            load_arrays(content, "bad_batch")
        assert not mark.exists()


def test_numpy_names_beside_the_three_are_refused() -> None:
    content = b"\x80\x02cnumpy.lib.npyio\nload\n(U\x01xtR."
    with pytest.raises(ValueError, match=r"numpy\.lib\.npyio\.load"):
        load_arrays(content, "f")


@pytest.mark.parametrize(
    "value",
    [
        [1, 2],
        {b"data": np.zeros(3)},
        {b"data": np.array([None, {}], dtype=object)},
        {b"data": np.zeros(3, dtype="i1")},
    ],
    ids=["list", "float64", "object", "int8"],
)
def test_other_content_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="refused"):
        load_arrays(pickle.dumps(value, protocol=2), "f")


def test_a_truncated_file_is_refused() -> None:
    content = pickle.dumps({b"data": DATA}, protocol=2)
    with pytest.raises(ValueError, match="Expected a CIFAR file at f"):
        load_arrays(content[: len(content) // 2], "f")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02}r\xff\xff\xff\x7f.",  # LONG_BINPUT: room for 2^31 entries
        b"}p4294967295\n.",
        b"\x80\x05\x96\xff\xff\xff\xff\x00\x00\x00\x00.",  # BYTEARRAY8 of 4 GiB
        b"\x80\x02\x8b\xff\xff\xff\x7f.",  # LONG4
    ],
    ids=["long-binput", "put", "bytearray8", "long4"],
)
def test_a_few_bytes_cannot_ask_for_all_memory(content: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match="Expected a CIFAR file at f"):
        load_arrays(content, "f")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB
