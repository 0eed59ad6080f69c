"""Fields of a MATLAB file, read in Python alone: SciPy's reader crashes on some damaged files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

MOST_BYTES = 1 << 26
"""Of what is unpacked; the file of ImageNet's development kit has less than a megabyte."""

_COMPRESSED, _MATRIX, _STRUCT, _TEXT = 15, 14, 2, 4
# Types of numbers: MATLAB's code, Python's.
_NUMBERS = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q"}
_LETTERS = {1: "latin1", 2: "latin1", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le"}


def read_struct(content: bytes, name: str, fields: tuple[str, ...]) -> list[tuple[object, ...]]:
    """Return fields of every element of a struct array: texts, and of numbers the first.

    Args:
        content: of a MATLAB 5 file, little-endian, compressed or not.
        name: of the variable.
        fields: to return.

    Raises:
        ValueError: if it is no such file, or has no such variable or fields.

    Source: MAT-File Format, The MathWorks, level 5.
    """
    if content[126:128] != b"IM":
        raise ValueError("Expected a little-endian MATLAB 5 file.")
    try:
        for kind, body in _elements(content[128:]):
            if kind == _COMPRESSED:
                unpacked = zlib.decompressobj().decompress(body, MOST_BYTES)
                kind, body = next(_elements(unpacked))
            if kind == _MATRIX:
                of, parts = _matrix(body)
                if of == _STRUCT and next(parts)[1].decode("latin1") == name:
                    return list(_rows(parts, fields))
    except (struct.error, zlib.error, RuntimeError, StopIteration, LookupError) as error:
        raise ValueError(f"Expected a whole MATLAB file: {error}.") from error
    raise ValueError(f"Expected the struct array {name}, found none.")


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of each data element."""
    at = 0
    while at + 8 <= len(content):
        kind, size = struct.unpack_from("<II", content, at)
        if kind >> 16:  # a small element: size and type share a word, the data follow in four bytes
            kind, size, start, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        else:
            start = at + 8
            # All but compressed elements are padded to eight bytes.
            end = start + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        if start + size > len(content):
            raise struct.error("an element is cut off")
        yield kind, content[start : start + size]
        at = end


def _matrix(body: bytes) -> tuple[int, Iterator[tuple[int, bytes]]]:
    """Class of an array, and its elements from the name on."""
    parts = _elements(body)
    (flags,) = struct.unpack_from("<I", next(parts)[1])
    next(parts)  # its shape
    return flags & 0xFF, parts


def _rows(
    parts: Iterator[tuple[int, bytes]], fields: tuple[str, ...]
) -> Iterator[tuple[object, ...]]:
    (width,) = struct.unpack_from("<i", next(parts)[1])
    names = next(parts)[1]
    if width < 1:
        raise struct.error("names of fields without letters")
    known = [
        names[at : at + width].split(b"\0")[0].decode("latin1")
        for at in range(0, len(names), width)
    ]
    places = [known.index(field) for field in fields if field in known]
    if len(places) < len(fields):
        raise LookupError(f"no fields {', '.join(fields)}")
    values = list(parts)
    for at in range(0, len(values), len(known)):
        row = values[at : at + len(known)]
        yield tuple(_value(row[place][1]) for place in places)


def _value(body: bytes) -> object:
    of, parts = _matrix(body)
    next(parts)  # a field has no name of its own
    kind, content = next(parts)
    if of == _TEXT:
        return content.decode(_LETTERS[kind])
    return struct.unpack_from(f"<{_NUMBERS[kind]}", content)[0]
