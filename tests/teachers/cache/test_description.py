"""The description of a cache is believed if a writer of caches could have written it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys

import pytest
import torch

import tfkd

N, VIEWS, K = 6, 2, 5


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("cache")
    batches = [(torch.randn(N, 3), torch.arange(N), view) for view in range(VIEWS)]
    tfkd.CachedTeacher.record(path, torch.nn.Linear(3, K), batches, form="top-2")
    return {file.name: file.read_bytes() for file in path.iterdir()}


@pytest.fixture
def cache(whole, tmp_path):
    path = tmp_path / "cache"
    path.mkdir()
    for name, content in whole.items():
        (path / name).write_bytes(content)
    return path


def sign(path, values):
    """Write a description with the checksum that belongs to it."""
    values = {name: value for name, value in values.items() if name != "sha256"}
    values["sha256"] = hashlib.sha256(json.dumps(values).encode()).hexdigest()
    (path / "cache.json").write_text(json.dumps(values))


def changed(path, place, value):
    """The description with one value put in place, or taken away."""
    values = json.loads((path / "cache.json").read_text())
    holder = values
    for name in place[:-1]:
        holder = holder[name]
    if value is ...:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return values


def refusal(path):
    with pytest.raises(ValueError, match="Expected") as caught:
        tfkd.CachedTeacher(path)
    text = str(caught.value)
    assert str(path / "cache.json") in text
    assert f"Delete the directory {path}" in text
    assert "\n" not in text
    assert len(text) < 2000
    return text


def test_what_was_written_is_read(cache):
    sign(cache, json.loads((cache / "cache.json").read_text()))
    cached = tfkd.CachedTeacher(cache)
    assert (cached.samples, cached.views, cached.form) == (N, VIEWS, "top-2")


def test_what_was_written_before_there_were_draws_is_read(cache):
    """No description but one of draws says how they were made."""
    assert "sampling" not in json.loads((cache / "cache.json").read_text())
    values = json.loads((cache / "cache.json").read_text())
    assert values["version"] == 2
    for other in ({"temperature": 4.0, "seed": 0}, [], 3):
        sign(cache, {**values, "sampling": other})
        assert "`sampling`" in refusal(cache)


def test_a_description_of_draws_that_no_writer_says_is_refused(tmp_path):
    batches = [(torch.randn(N, 3), torch.arange(N), 0)]
    network = torch.nn.Linear(3, K)
    tfkd.CachedTeacher.record(tmp_path, network, batches, form="sampled-7", temperature=4.0, seed=3)
    whole = json.loads((tmp_path / "cache.json").read_text())
    assert whole["sampling"] == {"temperature": 4.0, "seed": 3}
    assert whole["columns"]["counts"]["shape"] == [K]  # of fewer classes than draws
    for place, value, message in (
        (("sampling",), ..., "`sampling` of forms that are drawn alone, got sampled-7 without it"),
        (("sampling", "temperature"), ..., "`sampling.temperature`"),
        (("sampling", "temperature"), "4", "`sampling.temperature`"),
        (("sampling", "temperature"), -4.0, "`temperature` to be positive"),
        (("sampling", "temperature"), 2.0, "`total_variation` at temperatures 2, got 4"),
        (("sampling", "seed"), 0.5, "`sampling.seed`"),
        (("sampling", "seed"), -1, "`seed` of at least 0"),
        (("sampling", "seed"), 2**63, "`seed` of at most"),
        (("sampling", "more"), 1, "of temperature and seed, got more"),
        (("columns", "counts", "dtype"), "int32", "`columns.counts` of int16"),
    ):
        sign(tmp_path, whole)
        sign(tmp_path, changed(tmp_path, place, value))
        assert re.search(message, refusal(tmp_path)), (place, value)
    sign(tmp_path, whole)
    assert tfkd.CachedTeacher(tmp_path).form == "sampled-7"


def test_a_description_of_holes_is_not_read(cache):
    os.truncate(cache / "cache.json", 20 << 30)
    with pytest.raises(ValueError, match=rf"cache.json, but: it has {20 << 30} bytes"):
        tfkd.CachedTeacher(cache)


def test_what_no_writer_says_is_refused(cache):
    nan, nested = float("nan"), json.loads("[" * 50 + "]" * 50)
    other = {"dtype": "float16", "shape": [3], "sha256": "0" * 64}
    layout = r"`columns` classes, positions, values of the form top-2, got"
    for place, value, message in (
        *((("byte_order",), value, "byte.order") for value in (None, "middle", 5)),
        (("byte_order",), {"little": "big", "big": "little"}[sys.byteorder], "byte order"),
        *(
            (("form",), value, "form")
            for value in (..., None, "int8", "top-0", "top-5", "x" * 3000)
        ),
        (("form",), "top-" + "9" * 5000, "digits"),
        (("form",), "float32", "`columns` positions, values of the form float32"),
        *((("shape",), value, "shape") for value in (..., None, [], [-5], [0], [5.0], [True])),
        *((("shape",), value, "shape") for value in (5, [2**31], [10**300], [1] * 64, nested)),
        (("shape",), [5, 1], r"float16 \[3, 1\] .*got float16 \[3\]"),
        (("shape",), [2], "fewer than the 2 classes"),
        *((("rows",), value, "rows") for value in (..., "12", -12, 0, 10**300, 13, 12.0)),
        *((("views",), value, "views") for value in (..., None, 0, -2, 13, 10**300)),
        *((("columns",), value, "columns") for value in (None, [], {})),
        (("columns", "../x"), other, layout),
        (("columns", "/etc/passwd"), other, layout),
        (("columns", "values/../../x"), other, layout),
        (("columns", "classes"), ..., layout),
        (("columns", "classes", "dtype"), "int64", "`columns.classes` of int16"),
        (("columns", "classes", "shape"), [3], r"`columns.classes` of int16 \[2\]"),
        (("columns", "values", "dtype"), "float128", "`columns.values` of float16"),
        (("columns", "values", "dtype"), [], "`columns.values.dtype`"),
        (("columns", "values", "sha256"), "0", "SHA-256"),
        (("columns", "values", "sha256"), ..., "`columns.values.sha256`"),
        (("columns", "positions", "shape"), [], "`columns.positions.shape`"),
        (("columns", "positions", "shape"), [5], "from 6 to"),
        (("columns", "positions", "shape"), [2**40], "from 6 to"),
        (("columns", "positions", "shape"), [-1], "from 6 to"),
        (("columns", "positions", "dtype"), "int32", "`columns.positions` of int64"),
        *((("total_variation",), value, "total_variation") for value in (..., {}, "nan", [])),
        (("total_variation", "4", "mean"), nan, r"`total_variation.4.mean` in \[0, 1\], got nan"),
        (("total_variation", "4", "mean"), "0.1", "`total_variation.4.mean`"),
        (("total_variation", "4", "largest"), -0.1, "got -0.1"),
        (("total_variation", "4", "largest"), 10**400, "`total_variation.4.largest`"),
        (("total_variation", "3"), {"mean": 0.0, "largest": 0.0}, "at temperatures 1, 20, 4"),
        *((("seconds",), value, "seconds") for value in (..., nan, -1.0, float("inf"), "1")),
        *((("identity",), value, "identity") for value in (..., None, {"a": 1}, ["a"])),
        (("extra",), 1, "extra"),
    ):
        before = (cache / "cache.json").read_bytes()
        sign(cache, changed(cache, place, value))
        text = refusal(cache)
        with pytest.raises(ValueError, match=message):
            raise ValueError(text)
        (cache / "cache.json").write_bytes(before)


def test_what_fits_the_form_must_fit_the_files_too(cache):
    # Far more than there is: nothing is reserved for it.
    for place, value in ((("rows",), 2**40), (("columns", "positions", "shape"), [2**31])):
        before = (cache / "cache.json").read_bytes()
        sign(cache, changed(cache, place, value))
        with pytest.raises(ValueError, match=r"bytes in .*\.bin, got|from \d+ to"):
            tfkd.CachedTeacher(cache)
        (cache / "cache.json").write_bytes(before)


def test_another_version_is_refused_with_what_to_delete(cache):
    for version in (1, 3, None, "2", True, [], 10**30):
        before = (cache / "cache.json").read_bytes()
        sign(cache, changed(cache, ("version",), version))
        assert "version 2" in refusal(cache)
        (cache / "cache.json").write_bytes(before)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b"null", b"7", b"\xff\xfe", b"[" * 100_000, b"9" * 5000, b'"' * 3],
)
def test_what_is_no_description_is_refused(cache, content):
    (cache / "cache.json").write_bytes(content)
    refusal(cache)


def test_a_flipped_bit_is_refused_or_changes_nothing(cache):
    content = (cache / "cache.json").read_bytes()
    right = json.loads(content)
    for place in range(0, 8 * len(content), 37):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        (cache / "cache.json").write_bytes(damaged)
        try:
            tfkd.CachedTeacher(cache, verify=False)
        except ValueError as error:
            assert str(cache / "cache.json") in str(error)
        else:
            assert json.loads(damaged) == right  # of a space, another


def test_a_description_that_is_no_file_is_no_cache(cache):
    (cache / "cache.json").unlink()
    (cache / "cache.json").mkdir()
    with pytest.raises(FileNotFoundError, match="never finished"):
        tfkd.CachedTeacher(cache)
