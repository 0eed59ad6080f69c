"""A cache whose writer is killed, or has another beside it, is whole or none."""

from __future__ import annotations

import itertools
import time

import pytest
import torch
from split_off import Program, written
from torch import nn

import tfkd
from tfkd.teachers.cache.files import LOCK_FILE

N, K = 64, 5
NUMBERS = itertools.count()
FILES = {"cache.json", "values.bin", "positions.bin"}

PROGRAM = """
import os, time, torch, tfkd
class Same(torch.nn.Module):
    def forward(self, x):
        return sign * x
def batches():
    for view in range(20):
        for part in torch.arange(64).split(8):
            time.sleep(pause)
            yield part[:, None] + torch.arange(5.0) + 100 * view, part, view
torch.set_num_threads(1)
print("ready", flush=True)
while not os.path.exists(go):
    time.sleep(0.001)
try:
    tfkd.CachedTeacher.record(path, Same(), batches(), identity={"sign": str(sign)})
    print("made")
except FileExistsError as error:
    print(error)
"""


def writer(path, sign=1, pause=0.0005):
    """A process that is ready to write a cache, of logits times a number."""
    beside = path.with_name(f"{path.name}-{next(NUMBERS)}")
    beside.mkdir()
    file, go = written(beside / "writer.py", PROGRAM), beside / "go"
    program = Program(file, path=str(path), sign=float(sign), pause=pause, go=str(go))
    program.go = go.touch
    program.wait_for("ready")
    return program


def check(path):
    """A cache that is there says of everything what one writer said."""
    cached = tfkd.CachedTeacher(path)
    sign, indices = float(cached.identity["sign"]), torch.arange(N)
    for view in range(20):
        batch = tfkd.Batch(torch.zeros(N, K), indices, indices=indices, view=view)
        expected = sign * (indices[:, None] + torch.arange(5.0) + 100 * view)
        assert torch.equal(cached(batch), expected)


def kill_and_finish(path, chance, kills):
    for _ in range(kills):
        process = writer(path)
        process.go()
        time.sleep(chance.uniform(0.0, 0.4))
        process.kill()
        process.end()
        try:
            check(path)
        except FileNotFoundError as error:
            assert "never finished" in str(error)
        else:  # it was done before
            for file in path.iterdir():
                file.unlink()
    last = writer(path)
    last.go()
    assert last.finish() == "ready\nmade\n"
    check(path)
    assert {file.name for file in path.iterdir()} == FILES


def test_a_writer_killed_at_random_moments_leaves_a_cache_or_none(chance, tmp_path):
    kill_and_finish(tmp_path / "cache", chance, kills=3)


@pytest.mark.long
@pytest.mark.timeout(1000)
def test_a_writer_killed_at_30_random_moments_leaves_a_cache_or_none(chance, tmp_path):
    kill_and_finish(tmp_path / "cache", chance, kills=30)


def test_of_two_writers_at_once_one_is_refused(tmp_path):
    path = tmp_path / "cache"
    one, other = writer(path, 1), writer(path, -1)
    one.go()
    other.go()
    said = [process.finish().splitlines()[1] for process in (one, other)]
    assert sorted(text == "made" for text in said) == [False, True]
    refused = next(text for text in said if text != "made")
    # While the other writes, or after it.
    assert "but another does" in refused or "but there is one" in refused
    check(path)
    assert {file.name for file in path.iterdir()} == FILES


def test_a_writer_beside_another_is_refused_and_disturbs_nothing(tmp_path):
    inputs, indices = torch.randn(4, 3), torch.arange(4)

    def batches():
        yield inputs, indices, 0
        with pytest.raises(FileExistsError, match=r"nobody else to write.*another does"):
            tfkd.CachedTeacher.record(tmp_path, nn.Linear(3, K), [(inputs, indices, 0)])
        yield inputs, indices, 1

    assert tfkd.CachedTeacher.record(tmp_path, nn.Linear(3, K), batches()).views == 2
    assert tfkd.CachedTeacher(tmp_path).views == 2
    assert {file.name for file in tmp_path.iterdir()} == FILES


def test_whoever_reads_a_cache_keeps_it_when_it_is_written_anew(tmp_path):
    inputs, indices = torch.randn(4, 3), torch.arange(4)
    one = tfkd.CachedTeacher.record(tmp_path, nn.Linear(3, K), [(inputs, indices, 0)])
    batch = tfkd.Batch(torch.zeros(4, K), indices, indices=indices)
    before = one(batch)
    (tmp_path / "cache.json").unlink()
    other = tfkd.CachedTeacher.record(tmp_path, nn.Linear(3, K), [(inputs, indices, 0)])
    assert torch.equal(one(batch), before)
    assert not torch.equal(other(batch), before)


def test_a_lock_that_outlived_its_writer_is_no_hindrance(tmp_path):
    (tmp_path / LOCK_FILE).touch()
    batch = (torch.randn(4, 3), torch.arange(4), 0)
    assert tfkd.CachedTeacher.record(tmp_path, nn.Linear(3, K), [batch]).samples == 4
    assert {file.name for file in tmp_path.iterdir()} == FILES


@pytest.mark.parametrize(
    ("size", "name"),
    [(50_000, "values.bin"), (130_000, "positions.bin"), (500, "cache.json")],
)
def test_a_full_disk_leaves_nothing_and_names_the_file(size, name, tmp_path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # 20 bytes of each sample and view, and 8 of each index and view.
    spread = {"values.bin": 1, "positions.bin": 10, "cache.json": 1}[name]
    samples = 2 if name == "cache.json" else 2000
    indices = spread * torch.arange(samples)
    torch.manual_seed(0)
    batches = [(torch.randn(samples, 3), indices, view) for view in range(3)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with pytest.raises(OSError, match=rf"Expected to write {tmp_path / name}, but: File too"):
            tfkd.CachedTeacher.record(tmp_path, nn.Linear(3, K), batches)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
    assert tfkd.CachedTeacher.record(tmp_path, nn.Linear(3, K), batches).samples == samples
