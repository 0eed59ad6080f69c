"""The contents of files as digests, each read once and remembered."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tfkd.data.places import cache_folder
from tfkd.data.reading import counted

READERS = 16
"""Threads that read; what takes time is waiting for the disk."""

YOUNG_NANOSECONDS = 2_000_000_000
"""The longest step in which file systems tell the time of a change."""

WAIT_SECONDS = 30.0
"""For another process that writes down what it has read."""


def content_digests(root: Path, paths: Sequence[str]) -> list[bytes]:
    """Return the SHA-256 of each file.

    What was read is remembered in `contents.sqlite` of the cache folder, under the file's absolute
    path, size and time of change: a file of which all three are the same is not read again. A file
    that was changed a moment ago may change again at the same time, as the file system tells it;
    it is not remembered. Without a folder to write to nothing is.

    Args:
        root: the folder that the paths start from.
        paths: of files.

    Raises:
        OSError: for a file that cannot be read.
    """
    with ThreadPoolExecutor(READERS) as pool:
        marks = list(pool.map(lambda path: _mark(root / path), paths))
        with _memory() as memory:
            known = _recall(memory, [name for name, _, _ in marks])
            new = [
                (mark, root / path)
                for mark, path in zip(marks, paths, strict=True)
                if known.get(mark[0], (None, None, b""))[:2] != mark[1:]
            ]
            digests = pool.map(lambda pair: bytes.fromhex(digest_of_file(pair[1])), new)
            told = counted("reading", digests, len(new))
            read = {mark[0]: digest for (mark, _), digest in zip(new, told, strict=True)}
            begun = time.time_ns()
            rows = [
                (*mark, read[mark[0]]) for mark, _ in new if begun - mark[2] > YOUNG_NANOSECONDS
            ]
            with contextlib.suppress(sqlite3.Error):
                memory.executemany("INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?)", rows)
                memory.commit()
    return [read[name] if name in read else known[name][2] for name, _, _ in marks]


_Mark = tuple[str, int, int]  # absolute path, bytes, time of change in nanoseconds


def _mark(path: Path) -> _Mark:
    stat = path.stat()
    # Names of files may be no text; the database takes text alone.
    name = os.fsencode(path.absolute()).decode("utf-8", "backslashreplace")
    return name, stat.st_size, stat.st_mtime_ns


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, as `sha256sum` prints it."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _memory() -> Iterator[sqlite3.Connection]:
    folder = cache_folder()
    place = ":memory:"
    if folder is not None:
        with contextlib.suppress(OSError):
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
            place = str(folder / "contents.sqlite")
    try:
        memory = _connect(place)
    except sqlite3.Error:  # read-only, damaged, or on a file system without locks
        memory = _connect(":memory:")
    with contextlib.closing(memory):
        yield memory


def _connect(place: str) -> sqlite3.Connection:
    memory = sqlite3.connect(place, timeout=WAIT_SECONDS)
    memory.execute(
        "CREATE TABLE IF NOT EXISTS contents "
        "(path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, digest BLOB)"
    )
    return memory


def _recall(
    memory: sqlite3.Connection, names: Sequence[str]
) -> dict[str, tuple[int | None, int | None, bytes]]:
    known: dict[str, tuple[int | None, int | None, bytes]] = {}
    try:
        for first in range(0, len(names), 500):
            part = names[first : first + 500]
            marks = ", ".join("?" * len(part))
            rows = memory.execute(
                f"SELECT path, size, changed, digest FROM contents WHERE path IN ({marks})", part
            )
            known |= {
                name: (size, changed, digest)
                for name, size, changed, digest in rows
                if isinstance(digest, bytes) and len(digest) == hashlib.sha256().digest_size
            }
    except sqlite3.Error:
        return {}
    return known
