"""Settings that were chosen on validation data, method by method, in a file of their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from tfkd._checks import NotThereError, check_inner_path, check_positive, no_such
from tfkd.runs import files
from tfkd.runs.settings import MethodSettings, Recipe


class Chosen(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What belongs to a method and is chosen for it: its numbers, learning rate and weight decay.

    Attributes:
        name: of the arm, without `/`; several may be of one method.
        method: with its numbers.
        learning_rate: largest of the training, above 0.
        weight_decay: above 0.
    """

    name: str
    method: MethodSettings
    learning_rate: float
    weight_decay: float

    def __post_init__(self) -> None:
        check_inner_path("name", self.name)
        if "/" in self.name:
            raise ValueError(f"Expected a `name` without `/`, got {self.name!r}.")
        check_positive("learning_rate", self.learning_rate)
        check_positive("weight_decay", self.weight_decay)

    def recipe(self, base: Recipe) -> Recipe:
        """Return a recipe with its learning rate and weight decay."""
        optimizer = replace(
            base.optimizer, learning_rate=self.learning_rate, weight_decay=self.weight_decay
        )
        return replace(base, optimizer=optimizer)


def read_chosen(file: Path) -> tuple[Chosen, ...]:
    """Read what was chosen.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not readable, is empty, or holds one name twice.
    """
    if not file.exists():
        raise NotThereError(f"Expected a file of chosen settings at {file}.{no_such(file)}")
    chosen = files.read_json(file, tuple[Chosen, ...])
    if not chosen:
        raise ValueError(f"Expected settings in {file}, got none: nothing was chosen there.")
    names = [one.name for one in chosen]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Expected names of their own in {file}, got {name} twice.")
    return chosen


def write_chosen(chosen: Sequence[Chosen], file: Path) -> None:
    """Write what was chosen."""
    files.write_json(file, list(chosen))
