"""Files that are whole or absent, and read as what they must hold or refused by name."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from tfkd.runs import files


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    file = tmp_path / "result.json"
    files.write_json(file, {"old": 1})

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), crash)
    with pytest.raises(OSError, match="disk full"):
        files.write_json(file, {"new": 2})
    assert files.read_json(file, dict[str, int]) == {"old": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_written_is_read(tmp_path):
    rows = [{"a": 1.5}, {"a": None, "name": "größe"}]
    files.write_json_lines(tmp_path / "rows.jsonl", rows)
    content = files.read_bytes(tmp_path / "rows.jsonl")
    assert [json.loads(line) for line in content.decode().splitlines()] == rows
    assert files.parse_json_lines(content, tmp_path / "rows.jsonl", dict[str, Any]) == rows
    for row in rows:
        files.write_json(tmp_path / "row.json", row)
        assert files.read_json(tmp_path / "row.json", dict[str, Any]) == row


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "broken.json").write_text('{"half":')
    with pytest.raises(ValueError, match=r"broken\.json"):
        files.read_json(tmp_path / "broken.json", dict[str, Any])


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path, full_disk):
    file = tmp_path / "result.json"
    files.write_json(file, {"old": 1})
    with (
        full_disk(1000),
        pytest.raises(OSError, match=r"result\.json, but: File too large"),
    ):
        files.write_bytes(file, bytes(1001))
    assert files.read_json(file, dict[str, int]) == {"old": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_a_read_only_folder_is_named_and_left_alone(read_only):
    for name in ("old.json", "new.json"):
        with pytest.raises(PermissionError, match=rf"{name}, but: Permission denied"):
            files.write_json(read_only / name, {"new": 2})
    assert [file.name for file in read_only.iterdir()] == ["old.json"]
    assert files.read_json(read_only / "old.json", dict[str, int]) == {"old": 1}


def test_what_a_killed_writer_left_is_removed(tmp_path):
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom tfkd.runs import files\n"
        "os.fsync = lambda _: os.kill(os.getpid(), 9)\n"
        "files.write_bytes(Path(sys.argv[1]), bytes(1000))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "checkpoint.pt")])
    assert done.returncode == -9
    others = {".other", ".notes.tmp", ".weights.abcd1234.tmp", ".checkpoint.pt.mine.tmp"}
    for name in others:
        (tmp_path / name).write_text("x")
    (tmp_path / ".checkpoint.pt.abcd1234.tmp").mkdir()
    assert len(list(tmp_path.iterdir())) == 6
    files.remove_leftovers(tmp_path, re.compile(r"checkpoint\.pt"))
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {*others, ".checkpoint.pt.abcd1234.tmp"}
    files.remove_leftovers(tmp_path / "none", re.compile(r"checkpoint\.pt"))


def test_who_finds_his_half_written_file_removed_writes_it_again(tmp_path, monkeypatch):
    synced, times = os.fsync, []

    def cleaned_up(descriptor):
        synced(descriptor)
        times.append(descriptor)
        if len(times) < 3:
            files.remove_leftovers(tmp_path, re.compile(r"x\.csv"))

    monkeypatch.setattr(os, "fsync", cleaned_up)
    files.write_text(tmp_path / "x.csv", "whole")
    assert (tmp_path / "x.csv").read_text() == "whole"
    assert (len(times), [file.name for file in tmp_path.iterdir()]) == (3, ["x.csv"])


@pytest.mark.parametrize("text", ["[" * 100_000, "\udcff", "1" * 5000, ""])
def test_no_json_is_named(tmp_path, text):
    file = tmp_path / "x.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"x\.json"):
        files.read_json(file, dict[str, Any])
    if text:
        with pytest.raises(ValueError, match=r"x\.json"):
            files.parse_json_lines(file.read_bytes(), file, dict[str, Any])


@pytest.mark.timeout(60)
def test_what_is_no_file_or_too_large_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 20 << 30)
    for name, message in (
        ("pipe", "a regular file at .*pipe"),
        ("link", "a regular file at .*link"),
        ("large", r"at most \d+ bytes in .*large, got 21474836480"),
    ):
        for read in (files.read_bytes, lambda path: files.read_json(path, dict[str, Any])):
            with pytest.raises(ValueError, match=message):
                read(tmp_path / name)


class Inner(Struct):
    number: int = 1


class Outer(Struct):
    name: str
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    sizes: dict[str, float] = {}


def test_structs_within_structs(tmp_path):
    values = b'{"name": "x", "inner": {"number": 2}, "many": [{"number": 3}], "sizes": {"a": 1}}'
    read = files.parse_json(values, tmp_path, Outer)
    assert read == Outer("x", Inner(2), (Inner(3),), {"a": 1.0})
    assert files.parse_json(b'{"name": "x", "inner": null}', tmp_path, Outer) == Outer("x")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("{}", "missing required field `name`"),
        ('{"name": 1}', "Expected `str`, got `int`, in `name`"),
        ('{"name": null}', "in `name`"),
        ('{"name": "x", "inner": {"number": "1"}}', "Expected `int`, got `str`, in `inner.number`"),
        ('{"name": "x", "inner": {"number": true}}', "in `inner.number`"),
        ('{"name": "x", "inner": {"number": 1.5}}', "in `inner.number`"),
        ('{"name": "x", "inner": [1]}', "in `inner`"),
        ('{"name": "x", "many": {"0": 1}}', "in `many`"),
        ('{"name": "x", "many": [{}, 2]}', r"in `many\[1\]`"),
        ('{"name": "x", "sizes": {"a": "1"}}', r"in `sizes\[...\]`"),
        ('{"name": "x", "sizes": {"a": NaN}}', "malformed"),
        ('{"name": "x", "sizes": {"a": 1e999}}', "out of range"),
    ],
)
def test_values_of_another_type_are_refused_with_their_place(values, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        files.parse_json(values.encode(), tmp_path / "x.json", Outer)
    assert "x.json as this program writes it" in str(caught.value)
