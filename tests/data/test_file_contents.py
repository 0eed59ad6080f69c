"""Contents of files are read once, and what cannot be remembered is read again."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from pathlib import Path

import pytest

from tfkd.data.file_contents import content_digests, digest_of_file

LONG_AGO = 1_000_000_000


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which digests are remembered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tfkd" / "contents.sqlite"


def _write(path: Path, content: bytes, seconds: int = LONG_AGO) -> str:
    path.write_bytes(content)
    os.utime(path, (seconds, seconds))
    return path.name


def _sha(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def test_digests_are_those_of_sha256_in_the_order_of_the_paths(tmp_path: Path) -> None:
    contents = [b"", b"one", bytes(3 << 20), *(str(n).encode() for n in range(700))]
    names = [_write(tmp_path / f"{n}.bin", content) for n, content in enumerate(contents)]
    for _ in range(2):  # read, and remembered
        assert content_digests(tmp_path, names) == [_sha(content) for content in contents]
    assert digest_of_file(tmp_path / "1.bin") == hashlib.sha256(b"one").hexdigest()


def test_a_file_of_the_same_size_and_time_is_not_read_again(tmp_path: Path) -> None:
    name = _write(tmp_path / "a", b"one")
    content_digests(tmp_path, [name])
    _write(tmp_path / "a", b"two")  # as identity.py says, this is not seen
    assert content_digests(tmp_path, [name]) == [_sha(b"one")]
    _write(tmp_path / "a", b"two", LONG_AGO + 1)
    assert content_digests(tmp_path, [name]) == [_sha(b"two")]
    _write(tmp_path / "a", b"four", LONG_AGO + 1)
    assert content_digests(tmp_path, [name]) == [_sha(b"four")]


def test_a_file_that_changed_a_moment_ago_is_read_again(tmp_path: Path) -> None:
    """The time of its next change may be told as the same."""
    far_ahead = 1 << 33
    name = _write(tmp_path / "a", b"one", far_ahead)
    assert content_digests(tmp_path, [name]) == [_sha(b"one")]
    _write(tmp_path / "a", b"two", far_ahead)
    assert content_digests(tmp_path, [name]) == [_sha(b"two")]


def test_names_that_are_no_text_are_remembered(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe")
    _write(tmp_path / name, b"one")
    for _ in range(2):
        assert content_digests(tmp_path, [name]) == [_sha(b"one")]


def test_a_damaged_memory_is_done_without(tmp_path: Path, memory: Path) -> None:
    name = _write(tmp_path / "a", b"one")
    memory.parent.mkdir(parents=True)
    memory.write_bytes(b"no database" * 1000)
    assert content_digests(tmp_path, [name]) == [_sha(b"one")]
    memory.unlink()
    with sqlite3.connect(memory) as other:
        other.execute("CREATE TABLE contents (something INTEGER)")
    assert content_digests(tmp_path, [name]) == [_sha(b"one")]


def test_a_memory_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_only: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(read_only))
    assert content_digests(read_only, ["old.json"]) == [_sha(b'{"old": 1}\n')]
    monkeypatch.setenv("XDG_CACHE_HOME", str(read_only / "old.json"))
    assert content_digests(read_only, ["old.json"]) == [_sha(b'{"old": 1}\n')]


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        content_digests(tmp_path, ["gone"])
