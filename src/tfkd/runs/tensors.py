"""Files of tensors: safetensors, which hold numbers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
            parameters are not finite.
    """
    check_shapes(model, file)
    tensors = read_tensors(file)
    for name, _ in model.named_parameters():
        if not bool(tensors[name].isfinite().all()):
            raise ValueError(f"Expected finite weights in {file}, got NaN or infinity in {name}.")
    model.load_state_dict(tensors)


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
    found = {n: _kind(own.is_floating_point(), own.shape) for n, own in read_sizes(file).items()}
    wrong = list(_misfits(model, found))
    if wrong:
        others = f", and {len(wrong) - 1} more differ" if len(wrong) > 1 else ""
        raise ValueError(f"The weights in {file} do not fit the model: {wrong[0]}{others}.")


def _misfits(model: nn.Module, found: dict[str, str]) -> Iterator[str]:
    state = model.state_dict()
    for name, own in state.items():
        wanted = _kind(own.is_floating_point(), own.shape)
        if name not in found:
            yield f"expected {name}, found none"
        elif found[name] != wanted:
            yield f"expected {name} of {wanted}, got {found[name]}"
    for name in found:
        if name not in state:
            yield f"expected no {name[:200]!a}, got one"


def _kind(floating: bool, shape: Sequence[int]) -> str:
    return f"{'numbers' if floating else 'integers'} {tuple(shape)}"


def read_sizes(file: Path) -> dict[str, Tensor]:
    """Read the header of a safetensors file alone.

    Returns:
        Tensors on the device `meta`, of float32 for every kind of numbers, of int64 for integers.
    """
    from safetensors import safe_open

    def sizes(source: Any) -> dict[str, Tensor]:
        with safe_open(source, framework="pt") as content:
            slices = {name: content.get_slice(name) for name in content.keys()}  # noqa: SIM118
            # Names of numbers: F64, BF16; of integers: I64, U8, BOOL.
            return {
                name: torch.empty(
                    own.get_shape(),
                    dtype=torch.float32 if own.get_dtype().startswith(("F", "BF")) else torch.int64,
                    device="meta",
                )
                for name, own in slices.items()
            }

    return _read(sizes, file, file)


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
