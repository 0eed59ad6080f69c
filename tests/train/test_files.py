import os
from pathlib import Path

import pytest

from tfkd.train import files


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
