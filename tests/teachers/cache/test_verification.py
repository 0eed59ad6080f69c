"""Opening a cache reads every file once, and notices what is not as it was written."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
import torch
from few import in_full

import tfkd

N, K = 6, 5


@pytest.fixture(scope="module", params=["float32", "float16", "top-2"])
def whole(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param)
    inputs = torch.randn(N, 3, generator=torch.Generator().manual_seed(0))
    batches = [(inputs, torch.arange(N), view) for view in range(2)]
    tfkd.CachedTeacher.record(path, torch.nn.Linear(3, K), batches, form=request.param)
    return path


@pytest.fixture
def cache(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "cache")


def ask(teacher, index, view=0):
    indices = torch.tensor([index])
    labels = torch.zeros(1).long()
    batch = tfkd.Batch(torch.zeros(1, K), labels, indices=indices, view=view)
    return in_full(teacher(batch), K)


def put(cache, name, dtype, place, number):
    """Put a number into a column, and its checksum and that of the description in order."""
    file = cache / f"{name}.bin"
    content = bytearray(file.read_bytes())
    torch.frombuffer(content, dtype=dtype)[place] = number
    file.write_bytes(content)
    values = json.loads((cache / "cache.json").read_text())
    values["columns"][name]["sha256"] = hashlib.sha256(content).hexdigest()
    del values["sha256"]
    values["sha256"] = hashlib.sha256(json.dumps(values).encode()).hexdigest()
    (cache / "cache.json").write_text(json.dumps(values))


def test_the_checksums_are_those_of_sha256sum(cache):
    columns = json.loads((cache / "cache.json").read_text())["columns"]
    assert {f"{name}.bin" for name in columns} == {file.name for file in cache.glob("*.bin")}
    for name, column in columns.items():
        content = (cache / f"{name}.bin").read_bytes()
        assert column["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_flipped_bit_is_noticed_and_nothing_is_changed(cache):
    for file in cache.glob("*.bin"):
        content = file.read_bytes()
        for place in range(0, 8 * len(content), 37):
            damaged = bytearray(content)
            damaged[place // 8] ^= 1 << place % 8
            file.write_bytes(damaged)
            with pytest.raises(ValueError, match=rf"{file} as it was written") as caught:
                tfkd.CachedTeacher(cache)
            assert f"Delete the directory {cache}" in str(caught.value)
        assert file.read_bytes() == bytes(damaged)
        file.write_bytes(content)
    tfkd.CachedTeacher(cache)


def test_deleting_what_it_says_mends_it(cache):
    (cache / "values.bin").write_bytes(bytes((cache / "values.bin").stat().st_size))
    with pytest.raises(ValueError, match="Delete the directory"):
        tfkd.CachedTeacher(cache)
    shutil.rmtree(cache)
    batch = (torch.randn(N, 3), torch.arange(N), 0)
    assert tfkd.CachedTeacher.record(cache, torch.nn.Linear(3, K), [batch]).samples == N


@pytest.mark.parametrize("row", [-2, 2 * N, 2**62, -(2**63)])
def test_rows_that_are_not_there_are_refused(cache, row):
    put(cache, "positions", torch.int64, 3, row)
    with pytest.raises(ValueError, match=rf"positions from -1 to {2 * N - 1} in .*positions\.bin"):
        tfkd.CachedTeacher(cache)
    # Unread, they are refused when they are asked for.
    cached = tfkd.CachedTeacher(cache, verify=False)
    assert ask(cached, 2).isfinite().all()
    with pytest.raises(ValueError, match=r"`indices` of the 6|rows and classes .*Delete"):
        ask(cached, 3)
    answer = torch.func.vmap(lambda index: ask_batched(cached, index))(torch.tensor([2, 3]))
    assert answer[0].isfinite().all()
    assert answer[1].isnan().all()


def ask_batched(teacher, index):
    said = teacher(tfkd.Batch(torch.zeros(K), torch.tensor(0), indices=index, view=0))
    return in_full(said, K)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_logits_that_are_none_are_refused(cache, number):
    form = json.loads((cache / "cache.json").read_text())["columns"]["values"]["dtype"]
    put(cache, "values", getattr(torch, form), 4, number)
    with pytest.raises(ValueError, match=rf"values .*in .*values\.bin, got .*{number}"):
        tfkd.CachedTeacher(cache)


@pytest.mark.parametrize("number", [-1, K, 2**15 - 1])
def test_classes_that_are_none_are_refused(cache, number):
    if not (cache / "classes.bin").exists():
        pytest.skip("stores no classes")
    put(cache, "classes", torch.int16, 4, number)
    with pytest.raises(ValueError, match=rf"classes from 0 to {K - 1} in .*classes\.bin, got"):
        tfkd.CachedTeacher(cache)
    cached = tfkd.CachedTeacher(cache, verify=False)
    assert ask(cached, 1).isfinite().all()
    with pytest.raises(ValueError, match=rf"rows and classes .*{cache}.*Delete"):
        ask(cached, 2)


def test_masked_classes_are_read(tmp_path):
    class Masked(torch.nn.Module):
        def forward(self, x):
            return torch.nn.functional.pad(x, (0, 1), value=float("-inf"))

    for form in ("float32", "float16", "top-2"):
        path = tmp_path / form
        tfkd.CachedTeacher.record(
            path, Masked(), [(torch.randn(4, 4), torch.arange(4), 0)], form=form
        )
        assert ask(tfkd.CachedTeacher(path), 1)[0, 4] == float("-inf") or form == "top-2"
