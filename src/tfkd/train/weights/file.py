"""A file of weights of any usual kind, read as tensors by name; nothing in it is executed."""

from __future__ import annotations

import argparse
import contextlib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tfkd.runs import RunDirectory, files
from tfkd.runs.checksums import verify
from tfkd.runs.tensors import read_sizes, read_tensors

# What programs keep weights under, of which averages come first, as in timm.
_AVERAGES = ("state_dict_ema", "model_ema", "ema")
_WRAPPERS = (*_AVERAGES, "state_dict", "model_state_dict", "model_state", "model")
_PREFIXES = ("module.", "_orig_mod.", "model.")
IN_A_FOLDER = ("weights.safetensors", "model.safetensors", "pytorch_model.bin")
"""What the weights are called in the directory of a run, or of a model of a hub."""


class _UnfitError(ValueError):
    """What is wrong with a file, in words for whoever named it."""


def weights_file(place: str) -> Path:
    """Return the file of weights that a person named: itself, or that of a run or folder.

    Args:
        place: a file, or a directory of a run or of a model as the Hugging Face hub has them.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        found = [path / name for name in IN_A_FOLDER if (path / name).is_file()]
        return found[0] if found else path / IN_A_FOLDER[0]
    return path


def read_weights(file: Path, *, device: str = "cpu") -> dict[str, Tensor]:
    """Return the tensors of a file of weights, without what programs wrap them in.

    Args:
        file: safetensors, or whatever `torch.save` wrote.
        device: `cpu`; or `meta`, where sizes and dtypes alone are read, if the file can say them.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is damaged, or holds what would have to be executed.
    """
    if not file.is_file():
        files_there = "found no such file" if not file.is_dir() else "found a folder without any"
        raise FileNotFoundError(f"Expected weights in {file}, {files_there}.")
    if (file.parent / "settings.json").is_file() and file.name == IN_A_FOLDER[0]:
        verify(RunDirectory(file.parent).path, file)
    files.check_regular(file)
    if is_safetensors(file):
        return read_tensors(file) if device == "cpu" else read_sizes(file)
    if file.suffix in (".npz", ".npy", ".onnx", ".h5", ".keras", ".gguf", ".tflite"):
        raise ValueError(
            f"Expected weights of torch in {file}: .safetensors, .pth, .pt or .bin. Load others "
            "into a network and save its state_dict()."
        )
    return _unwrapped(_load(file, device), file)


def which_are_taken(file: Path) -> str | None:
    """Return a sentence where a file has weights several times, an average beside them; or None.

    Args:
        file: of weights that can be read.
    """
    if is_safetensors(file):
        return None
    found, names = _load(file, "meta"), list[str]()
    while isinstance(found, Mapping) and (inner := dict(_inner(found))):
        names = names if len(names) > 1 else list(inner)
        found = next(iter(inner.values()))
    if len(names) < 2:
        return None
    return (
        f"{file} has weights under {' and '.join(names)}: those under {names[0]} are taken"
        f"{', an average' if names[0] in _AVERAGES else ''}."
    )


def without_prefixes(tensors: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors without the prefixes that wrappers of networks leave before their names.

    Args:
        tensors: by name.
        own: those of the network, by name.
    """
    done = False
    while not done:
        done = True
        for prefix in _PREFIXES:
            wrapped = all(name.startswith(prefix) for name in tensors)
            if tensors and wrapped and not any(name.startswith(prefix) for name in own):
                tensors = {name.removeprefix(prefix): t for name, t in tensors.items()}
                done = False
    return tensors


def is_safetensors(file: Path) -> bool:
    """Whether it is called so, or begins so: with the length of a header of JSON."""
    with file.open("rb") as content:
        return file.suffix == ".safetensors" or content.read(9)[8:] == b"{"


def _load(file: Path, device: str) -> Any:
    try:
        mapped = _is_archive(file, whole=device == "cpu") and device == "cpu"
        with torch.serialization.safe_globals([argparse.Namespace]):  # as timm's have it in `args`
            return torch.load(file, map_location=device, weights_only=True, mmap=mapped)
    except Exception as error:  # torch's are of many kinds
        unsafe: list[str] = []
        with contextlib.suppress(Exception):
            unsafe = torch.serialization.get_unsafe_globals_in_checkpoint(file)
        if unsafe:
            raise ValueError(
                f"Expected tensors and plain values alone in {file}, got {', '.join(unsafe[:3])}, "
                "which would have to be executed. Load it where you trust it, and save the "
                "network's state_dict() instead."
            ) from error
        reason = str(error).strip().partition("\n")[0][:200].rstrip(".")
        # Others speak of something else: of the bytes that they took for a pickle.
        if not reason or not isinstance(error, (_UnfitError, RuntimeError, OSError, MemoryError)):
            empty = file.stat().st_size == 0
            reason = "it is empty" if empty else "it is damaged, or of another kind"
        raise ValueError(f"Expected weights that torch has saved in {file}: {reason}.") from error


def _is_archive(file: Path, *, whole: bool) -> bool:
    """Whether it is of the newer kind, of which tensors are read as they are needed.

    None is packed, as torch never does: a small one could fill the memory. `torch.load` itself
    does not look at the checksums.

    Args:
        file: of weights.
        whole: whether its content will be read, and so is checked.
    """
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as content:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in content.infolist()):
            raise _UnfitError("its content is compressed, which torch never does")
        # torch can be told to write none, and then writes 0.
        summed = any(entry.CRC for entry in content.infolist())
        damaged = content.testzip() if whole and summed else None
        if damaged is not None:
            name = ascii(damaged[:80])
            raise _UnfitError(f"it is damaged, the checksum of {name} is not its content's")
    return True


def _unwrapped(found: Any, file: Path) -> dict[str, Tensor]:
    """The tensors of a file, of which programs have kept other things beside."""
    while isinstance(found, Mapping):
        inner = next(_inner(found), None)
        if inner is None:
            break
        found = inner[1]
    tensors = dict(found) if isinstance(found, Mapping) else {}
    wrong = next(
        (n for n, t in tensors.items() if not isinstance(n, str) or not _is_plain(t)), None
    )
    if not isinstance(found, Mapping) or wrong is not None:
        got = type(found).__name__
        if wrong is not None:
            got = f"{type(tensors[wrong]).__name__} in {str(wrong)[:80]!a}"
        raise ValueError(f"Expected tensors by name in {file}, got {got}.")
    size = file.stat().st_size
    for name, tensor in tensors.items():
        # One that repeats its numbers may be of any size.
        taken = tensor.numel() * tensor.element_size()
        if taken > size:
            raise ValueError(
                f"Expected tensors that {file}, of {size} bytes, can hold, got {name[:80]!a} of "
                f"{tuple(tensor.shape)}."
            )
    return tensors


def _inner(found: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for name in _WRAPPERS:
        inner = found.get(name)
        if isinstance(inner, Mapping) and inner:
            yield name, inner


def _is_plain(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout is torch.strided and not value.is_quantized
