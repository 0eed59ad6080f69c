"""SHA256SUMS: what a finished run wrote, so that a bit that flips later is noticed.

The form is that of `sha256sum`: `sha256sum --check SHA256SUMS` does the same by hand.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from tfkd.data.file_contents import digest_of_file
from tfkd.runs import files

CHECKSUMS_FILE = "SHA256SUMS"
RESULT_FILE = "result.json"
"""Written behind the checksums, and removed before them: where it is, they are."""

_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def write_checksums(folder: Path, paths: list[Path], coming: dict[Path, bytes]) -> None:
    """Write the checksums of files in `folder`, over those that were there.

    Args:
        folder: of the run.
        paths: files that are there; one that is missing is left out.
        coming: what will be written after this, and where to.
    """
    digests = {path: digest_of_file(path) for path in paths if path.is_file()}
    digests |= {path: hashlib.sha256(content).hexdigest() for path, content in coming.items()}
    lines = [
        f"{digest}  {path.relative_to(folder).as_posix()}\n" for path, digest in digests.items()
    ]
    files.write_text(folder / CHECKSUMS_FILE, "".join(lines))


def verify(folder: Path, path: Path) -> None:
    """Check a file of a finished run against its checksum.

    Args:
        folder: of a run; one that is not finished has no `SHA256SUMS`, and passes.
        path: of a file in it, which must be listed there.

    Raises:
        ValueError: if they differ, or a finished run has no checksums, naming the file and what to
            do.
    """
    if path.is_file():
        _check(folder, path, lambda: digest_of_file(path))


def read_verified(folder: Path, path: Path) -> bytes:
    """Return the content of a file, read once, that `verify` finds right."""
    content = files.read_bytes(path)
    _check(folder, path, lambda: hashlib.sha256(content).hexdigest())
    return content


def _check(folder: Path, path: Path, digest: Callable[[], str]) -> None:
    sums = folder / CHECKSUMS_FILE
    if not sums.exists():
        if not (folder / RESULT_FILE).exists():
            return
        raise ValueError(
            f"Expected {sums} beside {RESULT_FILE}, found no such file: without it nobody can tell "
            f"whether {path.name} is as it was written. {what_to_delete(folder)}"
        )
    expected = _parse(files.read_bytes(sums), sums).get(path.relative_to(folder).as_posix())
    if digest() != expected:
        raise ValueError(
            f"Expected {path} as it was written, but its checksum is not that of {sums}: one of "
            f"the two is damaged or was changed. {what_to_delete(folder)}"
        )


def what_to_delete(folder: Path) -> str:
    """Return a sentence: how a run with a damaged file is mended."""
    return f"Restore it, or delete the directory {folder} to train this run anew."


@lru_cache(maxsize=1)  # the files of a run are read one after the other
def _parse(content: bytes, sums: Path) -> dict[str, str]:
    found = {}
    for line in content.decode(errors="replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(
                f"Expected lines of checksums in {sums}, got {line[:80]!r}. "
                f"{what_to_delete(sums.parent)}"
            )
        found[match[2]] = match[1]
    return found
