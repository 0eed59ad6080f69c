"""How a criterion notices that nobody tells it of steps."""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor

MOST_BATCHES_OF_A_STEP = 1000
"""Batches to a step of the optimiser; more are none."""

CHANGES_SEEN = 2
"""So often the student must have changed: once it may, when a checkpoint is loaded."""


class StepWatch:
    """Notices a student whose weights change though nobody tells of steps.

    An optimiser changes parameters in place, which torch counts. A parameter is found by the
    gradient function of the logits; no student is held by it, copied with it or saved.
    """

    def __init__(self) -> None:
        self.told()

    def told(self) -> None:
        """Note that a step was told of."""
        self._parameter: weakref.ref[Tensor] | None = None
        self._version = self._changes = self._batches = 0

    def look(self, student_logits: Tensor) -> str | None:
        """Look at a batch of training; return what is missing in words, None if nothing is."""
        self._batches += 1
        parameter = None if self._parameter is None else self._parameter()
        if parameter is None:
            parameter = _a_parameter(student_logits)
            if parameter is not None:
                self._parameter, self._version = weakref.ref(parameter), parameter._version
        elif parameter._version != self._version:
            self._version = parameter._version
            self._changes += 1
        if self._changes >= CHANGES_SEEN:
            return "the student's weights have changed twice"
        if self._batches > MOST_BATCHES_OF_A_STEP:
            return f"{MOST_BATCHES_OF_A_STEP} batches have come"
        return None

    def __deepcopy__(self, memo: dict[int, Any]) -> StepWatch:
        return StepWatch()

    def __reduce__(self) -> tuple[Any, ...]:
        return StepWatch, ()


def _a_parameter(logits: Tensor, most: int = 64) -> Tensor | None:
    """A leaf that the logits are differentiated by, of the last operations before them."""
    functions = [logits.grad_fn]
    for _ in range(most):
        if not functions:
            return None
        function = functions.pop(0)
        leaf = getattr(function, "variable", None)
        if isinstance(leaf, Tensor):
            return leaf
        if function is not None:
            functions += [before for before, _ in function.next_functions if before is not None]
    return None
