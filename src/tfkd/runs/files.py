"""Files that are whole or absent: a crash leaves the old one or the new one, never half."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from stat import S_ISREG
from typing import TypeVar

import msgspec

from tfkd.references import OwnPartError

T = TypeVar("T")

MOST_BYTES = 1 << 30
"""Of a file that is read at once; the logits of ImageNet's test split take 200 MB."""

ATTEMPTS = 5
"""To write a file whose temporary one others remove."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to a temporary file beside `path`, flush it to disk and rename it.

    Raises:
        OSError: naming `path`, if the disk is full or the folder cannot be written to. What was
            there before is as it was.
    """
    try:
        for attempt in range(ATTEMPTS):
            if _replace(path, content, last=attempt + 1 == ATTEMPTS):
                break
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno,
            f"Expected to write {path}, but: {reason}. What was there before is as it was",
        ) from error


def _replace(path: Path, content: bytes, *, last: bool) -> bool:
    """Write and rename; False if somebody took the temporary file for a leftover meanwhile."""
    descriptor, temporary = tempfile.mkstemp(".tmp", f".{path.name}.", path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except FileNotFoundError:
        if last or not path.parent.is_dir():
            raise
        return False
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True


# As `tempfile.mkstemp` calls them.
_TEMPORARY = re.compile(r"\.(.+)\.[a-z0-9_]{8}\.tmp")


def remove_leftovers(folder: Path, names: re.Pattern[str]) -> None:
    """Remove the temporary files of writers that were killed.

    Where somebody else is at writing, he finds his gone and writes it again.

    Args:
        folder: in which they lie; it need not exist.
        names: that files have there which are whole; what others wrote is left alone.
    """
    for file in folder.glob(".*.tmp"):
        own = _TEMPORARY.fullmatch(file.name)
        if own is not None and names.fullmatch(own[1]) and file.is_file():
            file.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder, `out` of a command, that may be there; with those that it lies in.

    Raises:
        OSError: in a sentence that names it, if it can be no folder or not be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise no_folder(folder, error) from error


def no_folder(folder: Path, error: OSError) -> OSError:
    """Return why a folder cannot be made or written into, in a sentence."""
    reason = error.strerror or str(error)
    if folder.is_symlink() and not folder.exists():
        reason = "it is a link to a place that is not there"
    elif folder.exists() and not folder.is_dir():
        reason = "it is a file"
    return OSError(
        error.errno, f"Expected `out` to be a folder that can be written to, got {folder}: {reason}"
    )


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all; what is no text in the name of a file is spelt out."""
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: Path, value: object) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_bytes(path, to_json(value))


def to_json(value: object) -> bytes:
    """Return a value as `write_json` writes it."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def write_json_lines(path: Path, rows: Sequence[object]) -> None:
    """Write one JSON object a line, whole or not at all."""
    write_bytes(path, msgspec.json.Encoder().encode_lines(rows))


def read_json(path: Path, kind: type[T]) -> T:
    """Read a JSON file as what it must hold.

    Raises:
        ValueError: naming the file, if it holds something else.
    """
    return parse_json(read_bytes(path), path, kind)


def parse_json(content: bytes, path: Path, kind: type[T]) -> T:
    """Return what `read_json` does of the content of a file."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        if isinstance(error.__cause__, OwnPartError):  # the file is as it should be
            raise OwnPartError(f"{error.__cause__} It is named in {path}.") from error
        raise ValueError(f"Expected {path} as this program writes it: {why(error)}") from error


def parse_json_lines(content: bytes, path: Path, kind: type[T]) -> list[T]:
    """Return what a file of one JSON object a line holds; `ValueError` naming it otherwise."""
    try:
        return msgspec.json.Decoder(kind).decode_lines(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"Expected {path} as this program writes it: {why(error)}") from error


def read_bytes(path: Path) -> bytes:
    """Return the content of a regular file of a size that a file of this program may have.

    Raises:
        ValueError: for a pipe or device, which would be waited for, or a file too large to be one
            of this program's.
    """
    size = check_regular(path)
    if size > MOST_BYTES:
        raise ValueError(f"Expected at most {MOST_BYTES} bytes in {path}, got {size}.")
    return path.read_bytes()


def check_regular(path: Path) -> int:
    """Return the size of a regular file; `ValueError` for a pipe or device, which is waited for."""
    stat = path.stat()
    if not S_ISREG(stat.st_mode):
        raise ValueError(f"Expected a regular file at {path}, got something else.")
    return stat.st_size


def why(error: BaseException) -> str:
    """Return what was wrong with a value, in words, and where.

    Example:
        >>> try:
        ...     msgspec.json.decode(b'{"a": {"b": "x"}}', type=dict[str, dict[str, int]])
        ... except msgspec.ValidationError as error:
        ...     why(error)
        'Expected `int`, got `str`, in `[...][...]`.'
    """
    text, _, place = str(error).rstrip(".").partition(" - at `$")
    if error.__cause__ is not None:  # said by the settings themselves
        return str(error.__cause__)
    return f"{text}, in `{place.strip('`').lstrip('.')}`." if place.strip("`") else f"{text}."
