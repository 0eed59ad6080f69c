"""A program of torch's own, which runs without this package, timm, or the network's source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tfkd.train.trained.export.description import preprocessing
from tfkd.train.trained.export.format import Format
from tfkd.train.trained.network import TrainedNetwork


class TorchExport(Format):
    """`model.pt2`, of `torch.export`."""

    file = "model.pt2"

    def write(self, trained: TrainedNetwork, folder: Path) -> None:
        """Write the program, with classes and preprocessing as its extra files."""
        program = exported_program(trained)
        extra = {
            "classes.json": json.dumps(trained.classes),
            "preprocessing.json": json.dumps(preprocessing(trained.identity)),
        }
        torch.export.save(program, folder / self.file, extra_files=extra)

    def logits(self, trained: TrainedNetwork, folder: Path, images: Tensor) -> list[Tensor]:
        """Return what the program answers that is read from the file."""
        program = torch.export.load(folder / self.file)
        with torch.no_grad():
            return [program.module()(images)]

    def lines(self, trained: TrainedNetwork) -> str:
        """Return the lines for plain torch."""
        return (
            "import torch\n\n"
            'network = torch.export.load("model.pt2").module()\n'
            "with torch.no_grad():\n"
            "    logits = network(torch.from_numpy(images))"
        )


def exported_program(trained: TrainedNetwork) -> Any:
    """Return a network as a program, for any number of images of its size.

    Raises:
        ValueError: if torch cannot make one of it.
    """
    try:
        with torch.no_grad():
            return torch.export.export(
                trained.network, (example(trained),), dynamic_shapes=(dynamic_batch(),)
            )
    # Whatever in a network cannot be traced.
    except Exception as error:
        raise ValueError(not_traceable(trained, error)) from error


def not_traceable(trained: TrainedNetwork, error: Exception) -> str:
    """Return that torch cannot make a program of a network, and why, in one line."""
    why = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f"Expected a network that torch.export takes, but of {trained.recipe.student}: {why} "
        "Its weights can be exported as safetensors."
    )


def example(trained: TrainedNetwork) -> Tensor:
    """Return images to trace a network with: two, for one is another program to torch."""
    size = trained.identity.image_size
    return torch.zeros(2, trained.identity.channels, size, size)


def dynamic_batch() -> dict[int, Any]:
    """Return that the number of images may be any."""
    return {0: torch.export.Dim("batch", min=1)}
