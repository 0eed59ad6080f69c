"""Reads pickled dictionaries of arrays without running anything that they name."""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any

import numpy as np
from numpy.typing import NDArray

_REFUSED = frozenset(
    {
        *("BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER", "PERSID", "BINPERSID"),
        *("EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX"),
    }
)
"""Operations that no CIFAR file has: buffers of a size that it states, ids, other ways to call."""


def load_arrays(content: bytes, origin: str) -> dict[bytes, Any]:
    """Return the dictionary of a CIFAR pickle, which Python 2 has written.

    A pickle calls what it names. Here the three names that an array of bytes needs are answered
    with stand-ins that only keep their arguments, and the array is built from those afterwards;
    every other name is refused. Nothing of NumPy sees the pickled values before they are checked.

    Args:
        content: of the file.
        origin: what to call the file in an error.

    Returns:
        Keys and strings are bytes; arrays are uint8.

    Raises:
        ValueError: for anything but a dictionary of such arrays, lists, strings and numbers.
    """

    # Defined in here, so that a file that changes a stand-in changes it for itself alone.
    class Array:
        state: Any = None

        def __setstate__(self, state: Any) -> None:
            self.state = state

    class DType:
        def __init__(self, code: Any, *_: Any) -> None:
            self.code = code

        def __setstate__(self, state: Any) -> None:
            pass

    class NDArrayName:
        pass

    def reconstruct(*_: Any) -> Array:
        return Array()

    def encode(text: Any, encoding: Any = "latin1") -> bytes:
        # How Python 3 writes bytes into a pickle that Python 2 can read.
        if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
            raise pickle.UnpicklingError("bytes in an unknown encoding")
        return text.encode("latin1")

    names: dict[tuple[str, str], Any] = {
        ("numpy.core.multiarray", "_reconstruct"): reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): reconstruct,
        ("numpy", "ndarray"): NDArrayName,
        ("numpy", "dtype"): DType,
        ("_codecs", "encode"): encode,
    }

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if (module, name) not in names:
                raise pickle.UnpicklingError(f"it names {module}.{name}")
            return names[module, name]

    def array(stub: Array) -> NDArray[np.uint8]:
        _, shape, dtype, fortran, raw = stub.state
        code = dtype.code.encode() if isinstance(dtype.code, str) else dtype.code
        if code not in (b"u1", b"|u1") or not isinstance(raw, bytes):
            raise ValueError(f"an array of {code!r} instead of uint8")
        return np.frombuffer(raw, np.uint8).reshape(shape, order="F" if fortran else "C")

    try:
        _check_operations(content)
        found = Unpickler(io.BytesIO(content), encoding="bytes").load()
        if not isinstance(found, dict):
            raise ValueError(f"a {type(found).__name__} instead of a dictionary")
        return {
            key.encode() if isinstance(key, str) else key: (
                array(value) if isinstance(value, Array) else value
            )
            for key, value in found.items()
        }
    # A damaged pickle can raise nearly anything; nothing else runs in here.
    except Exception as error:
        raise ValueError(
            f"Expected a CIFAR file at {origin}, but it was refused: {error}."
        ) from error


def _check_operations(content: bytes) -> None:
    """Look through a pickle without running it.

    A pickle may number what it remembers; Python makes room up to the largest number, so a file of
    ten bytes could ask for all memory.
    """
    for operation, argument, _ in pickletools.genops(content):
        if operation.name in _REFUSED:
            raise ValueError(f"it has the operation {operation.name}")
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and (argument or 0) > len(content):
            raise ValueError(f"it numbers something {argument}")
