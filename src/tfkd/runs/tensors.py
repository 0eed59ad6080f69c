"""Files of tensors: safetensors, which hold numbers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from tfkd.runs import files


def load_weights(model: nn.Module, file: Path) -> None:
    """Load a safetensors file into a network.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is damaged, of other tensors than the network's, or its
            parameters are not finite.
    """
    if not file.is_file():
        raise FileNotFoundError(f"Expected weights in {file}, found no such file.")
    tensors = read_tensors(file)
    wrong = list(_misfits(model, tensors))
    if wrong:
        others = f", and {len(wrong) - 1} more differ" if len(wrong) > 1 else ""
        raise ValueError(f"The weights in {file} do not fit the model: {wrong[0]}{others}.")
    for name, _ in model.named_parameters():
        if not bool(tensors[name].isfinite().all()):
            raise ValueError(f"Expected finite weights in {file}, got NaN or infinity in {name}.")
    model.load_state_dict(tensors)


def _misfits(model: nn.Module, tensors: dict[str, Tensor]) -> Iterator[str]:
    state = model.state_dict()
    for name, own in state.items():
        if name not in tensors:
            yield f"expected {name}, found none"
            continue
        kinds = [
            f"{'numbers' if t.is_floating_point() else 'integers'} {tuple(t.shape)}"
            for t in (own, tensors[name])
        ]
        if kinds[0] != kinds[1]:
            yield f"expected {name} of {kinds[0]}, got {kinds[1]}"
    for name in tensors:
        if name not in state:
            yield f"expected no {name[:200]!a}, got one"


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read a safetensors file, which holds numbers alone; `ValueError` naming it if it is none."""
    from safetensors.torch import load_file

    return _read(load_file, file, file)


def parse_tensors(content: bytes, file: Path) -> dict[str, Tensor]:
    """Return what `read_tensors` does of the content of a file."""
    from safetensors.torch import load

    return _read(load, content, file)


def _read(load: Callable[[Any], dict[str, Tensor]], source: Any, file: Path) -> dict[str, Tensor]:
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
