"""Every teacher of the package, a row each; a test holds that none is missing.

It lies here so that processes that tests start find the network, too. Left out is
`LastBatchTeacher`, which wants batches that overlap: its own tests have them.

The right column makes it, of nothing or of the student that it teaches. `alike`: it treats all
classes alike. `compiles`: it goes through `torch.compile` in one graph. What follows are options of
the loss that it is made for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

import tfkd

K = 5
SAMPLES = 24


@dataclass(frozen=True)
class Row:
    """A teacher: its class, how it is made, and what `tfkd.testing.check_teacher` is told of it."""

    name: str
    make: Callable[..., tfkd.Teacher]
    alike: bool = False
    compiles: bool = True
    options: dict[str, Any] = field(default_factory=dict)
    note: str = ""


class Network(nn.Module):
    """Logits of inputs `(n, 4)`, `(n, 4, d1, ...)` or `(4,)`, the same for each seed."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.matrix = nn.Parameter(torch.randn(4, K, generator=generator))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        dim = 0 if inputs.dim() == 1 else 1
        return (inputs.movedim(dim, -1) @ self.matrix).movedim(-1, dim)


def network(seed: int = 0) -> tfkd.Teacher:
    return tfkd.NetworkTeacher(Network(seed))


def previous(form: str, *, on_disk: bool = False) -> tfkd.Teacher:
    folder = FOLDER.name if on_disk else None
    return tfkd.PreviousTeacher(SAMPLES, K, form=form, directory=folder)


def cached(form: str, **drawn: Any) -> tfkd.Teacher:
    samples = torch.randn(SAMPLES, 4, generator=torch.Generator().manual_seed(0))
    batches = [(samples, torch.arange(SAMPLES), 0)]
    folder = tempfile.mkdtemp(dir=FOLDER.name)
    return tfkd.CachedTeacher.record(folder + "/cache", Network(), batches, form=form, **drawn)


FOLDER = tempfile.TemporaryDirectory()
MATRIX = torch.rand(K, K, generator=torch.Generator().manual_seed(0)).softmax(1)
TWO_PARTS = {"decoupled": (1.0, 2.0)}

TABLE = [
    Row("BetaTeacher", lambda student: tfkd.BetaTeacher(student, decay=0.5)),
    Row("CachedTeacher", lambda: cached("float32")),
    Row("CachedTeacher", lambda: cached("top-2"), note="top-2"),
    Row(
        "CachedTeacher",
        lambda: cached("sampled-3", temperature=2.0),
        options={"temperature": 2.0},
        note="sampled-3",
    ),
    Row("ClassTeacher", lambda: tfkd.ClassTeacher(MATRIX)),
    Row("EnsembleTeacher", lambda: tfkd.EnsembleTeacher([network(1), network(2)])),
    Row(
        "EnsembleTeacher",
        lambda: tfkd.EnsembleTeacher([tfkd.OnlineTeacher(K), tfkd.UniformTeacher()], "logits"),
        note="of one that remembers",
        alike=True,
    ),
    Row("MeanTeacher", lambda student: tfkd.MeanTeacher(student, decay=0.5)),
    Row("NetworkTeacher", network),
    Row("NormalizedTeacher", lambda: tfkd.NormalizedTeacher(network()), options=TWO_PARTS),
    Row("OnlineTeacher", lambda: tfkd.OnlineTeacher(K), alike=True),
    Row("OnlineTeacher", lambda: tfkd.OnlineTeacher(K, freeze_at=0.5), alike=True, note="frozen"),
    Row("PreviousTeacher", lambda: previous("float32")),
    Row("PreviousTeacher", lambda: previous("float16"), note="float16"),
    Row("PreviousTeacher", lambda: previous("top-2"), note="top-2"),
    Row("StudentTeacher", lambda student: tfkd.StudentTeacher(student)),
    Row("TemperedTeacher", lambda: tfkd.TemperedTeacher(network(), 4.0)),
    Row(
        "TemperedTeacher",
        lambda: tfkd.TemperedTeacher(tfkd.OnlineTeacher(K), 2.0, weighted=True),
        note="of one that remembers, weighted",
        alike=True,
    ),
    Row("TopTwoTeacher", lambda: tfkd.TopTwoTeacher(network())),
    Row("UniformTeacher", lambda: tfkd.UniformTeacher(), alike=True),
    Row("UntilPassedTeacher", lambda: tfkd.UntilPassedTeacher(network())),
    Row("VirtualTeacher", lambda: tfkd.VirtualTeacher(0.9), alike=True),
    Row("ZipfTeacher", lambda: tfkd.ZipfTeacher(), alike=True, options=TWO_PARTS),
]
