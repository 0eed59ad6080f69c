"""Files of tensors: safetensors, which hold numbers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from tfkd.runs import files

T = TypeVar("T")


def load_weights(model: nn.Module, file: Path) -> None:
    """Load a safetensors file into a network.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is damaged, of other tensors than the network's, or its
            numbers are not finite.
    """
    check_shapes(model, file)
    tensors = read_tensors(file)
    check_numbers(model, tensors, file)
    model.load_state_dict(tensors)


def check_numbers(model: nn.Module, tensors: Mapping[str, Tensor], file: Path) -> None:
    """Check that tensors are such as a network can compute with.

    Args:
        model: which they fit.
        tensors: by the network's own names.
        file: that they are from.

    Raises:
        ValueError: naming the file and the first that is not finite as the network would have it,
            or a variance that is negative.
    """
    for name, own in model.state_dict().items():
        if not own.is_floating_point():
            continue
        found = tensors[name].to(own.dtype)
        # What the network itself has as infinite, as a mask, may be so.
        if not bool(found.isfinite().all()) and bool(own.isfinite().all()):
            raise ValueError(f"Expected finite weights in {file}, got NaN or infinity in {name}.")
        if name.rpartition(".")[2] == "running_var" and bool((found < 0).any()):
            raise ValueError(
                f"Expected variances of at least 0 in {file}, got {found.min().item():g} in {name}."
            )


def check_shapes(model: nn.Module, file: Path) -> None:
    """Check that a file's tensors are those of a network, by its header alone.

    Args:
        model: which may be on the device `meta`, where it takes no memory.
        file: safetensors file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is damaged, or of other tensors than the network's.
    """
    if not file.is_file():
        raise FileNotFoundError(f"Expected weights in {file}, found no such file.")
    found = {name: kind_of(own) for name, own in read_sizes(file).items()}
    wrong = list(_misfits(model, found))
    if wrong:
        others = f", and {len(wrong) - 1} more differ" if len(wrong) > 1 else ""
        raise ValueError(f"The weights in {file} do not fit the model: {wrong[0]}{others}.")


def _misfits(model: nn.Module, found: dict[str, str]) -> Iterator[str]:
    state = model.state_dict()
    for name, own in state.items():
        wanted = kind_of(own)
        if name not in found:
            yield f"expected {name}, found none"
        elif found[name] != wanted:
            yield f"expected {name} of {wanted}, got {found[name]}"
    for name in found:
        if name not in state:
            yield f"expected no {name[:200]!a}, got one"


def kind_of(tensor: Tensor) -> str:
    """Return what a tensor holds and its shape, in which it has to agree with a network's."""
    kind = "numbers" if tensor.is_floating_point() else "integers"
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype.startswith(("bool", "complex", "float4")):  # torch turns none of these into numbers
        kind = dtype
    return f"{kind} {tuple(tensor.shape)}"


def read_sizes(file: Path) -> dict[str, Tensor]:
    """Read the header of a safetensors file alone.

    Returns:
        Tensors on the device `meta`, of float32 for every kind of numbers, of int64 for integers,
        of bool, and of complex64.
    """
    from safetensors import safe_open

    def sizes(source: Any) -> dict[str, Tensor]:
        with safe_open(source, framework="pt") as content:
            slices = {name: content.get_slice(name) for name in content.keys()}  # noqa: SIM118
            return {
                name: torch.empty(own.get_shape(), dtype=_dtype(own.get_dtype()), device="meta")
                for name, own in slices.items()
            }

    return _read(sizes, file, file)


def _dtype(name: str) -> torch.dtype:
    """A dtype of that kind: names of numbers are F64, BF16, F8_E4M3; of integers I64, U8."""
    if name.startswith(("F", "BF")):
        return torch.float32
    return {"BOOL": torch.bool, "C64": torch.complex64}.get(name, torch.int64)


def read_metadata(file: Path) -> dict[str, str]:
    """Read the words that lie beside the tensors of a safetensors file; `ValueError` if none is."""
    from safetensors import safe_open

    def words(source: Any) -> dict[str, str]:
        with safe_open(source, framework="pt") as content:
            return dict(content.metadata() or {})

    return _read(words, file, file)


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read a safetensors file, which holds numbers alone; `ValueError` naming it if it is none."""
    from safetensors.torch import load_file

    return _read(load_file, file, file)


def parse_tensors(content: bytes, file: Path) -> dict[str, Tensor]:
    """Return what `read_tensors` does of the content of a file."""
    from safetensors.torch import load

    return _read(load, content, file)


def _read(load: Callable[[Any], T], source: Any, file: Path) -> T:
    try:
        return load(source)
    except OSError:
        raise
    # Of a damaged file: SafetensorError, and what torch says of dtypes and sizes.
    except Exception as error:
        raise ValueError(f"Expected a safetensors file in {file}: {error}.") from error


def save_tensors(file: Path, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file, whole or not at all."""
    from safetensors.torch import save

    file.parent.mkdir(parents=True, exist_ok=True)
    contiguous = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    files.write_bytes(file, save(contiguous))
