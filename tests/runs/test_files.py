import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert files.read_json(file) == {"old": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_written_is_read(tmp_path):
    rows = [{"a": 1.5}, {"a": None, "name": "größe"}]
    files.write_json_lines(tmp_path / "rows.jsonl", rows)
    assert files.read_json_lines(tmp_path / "rows.jsonl") == rows


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "broken.json").write_text('{"half":')
    with pytest.raises(ValueError, match=r"broken\.json"):
        files.read_json(tmp_path / "broken.json")


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path, full_disk):
    file = tmp_path / "result.json"
    files.write_json(file, {"old": 1})
    with (
        full_disk(1000),
        pytest.raises(OSError, match=r"result\.json, but: File too large"),
    ):
        files.write_bytes(file, bytes(1001))
    assert files.read_json(file) == {"old": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_a_read_only_folder_is_named_and_left_alone(read_only):
    for name in ("old.json", "new.json"):
        with pytest.raises(PermissionError, match=rf"{name}, but: Permission denied"):
            files.write_json(read_only / name, {"new": 2})
    assert [file.name for file in read_only.iterdir()] == ["old.json"]
    assert files.read_json(read_only / "old.json") == {"old": 1}


def test_what_a_killed_writer_left_is_removed(tmp_path):
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom tfkd.runs import files\n"
        "os.fsync = lambda _: os.kill(os.getpid(), 9)\n"
        "files.write_bytes(Path(sys.argv[1]), bytes(1000))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "checkpoint.pt")])
    assert done.returncode == -9
    (tmp_path / ".other").write_text("x")
    assert len(list(tmp_path.iterdir())) == 2
    files.remove_leftovers(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [".other"]


@pytest.mark.parametrize("text", ["[" * 100_000, "\udcff", "1" * 5000, ""])
def test_no_json_is_named(tmp_path, text):
    file = tmp_path / "x.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"x\.json"):
        files.read_json(file)
    if text:
        with pytest.raises(ValueError, match=r"x\.json"):
            files.read_json_lines(file)
