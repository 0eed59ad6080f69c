"""How the batches of an epoch fall into steps of the optimiser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tfkd.runs.settings import RunSettings


class Place(NamedTuple):
    """A batch within its epoch and its step.

    Args:
        batch: its number in the epoch, from 0.
        step: the number of its step in the epoch, from 0.
        begins: whether it is the first of the step.
        ends: whether it is the last.
        samples: of all batches of the step, over all processes.
    """

    batch: int
    step: int
    begins: bool
    ends: bool
    samples: int


@dataclass(frozen=True)
class StepPlan:
    """Batches and steps of an epoch.

    Args:
        samples: of the training split.
        batches: of an epoch.
        batch_size: samples of a batch, over all processes.
        accumulation: batches to a step.
        processes: how many share a batch.
        smallest_share: images that each of them needs of a batch.

    Example:
        >>> plan = StepPlan(samples=70, batches=4, batch_size=20, accumulation=3, processes=1)
        >>> [(place.batch, place.step, place.samples) for place in plan.places()]
        [(0, 0, 60), (1, 0, 60), (2, 0, 60), (3, 1, 10)]
    """

    samples: int
    batches: int
    batch_size: int
    accumulation: int
    processes: int
    smallest_share: int = 1

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-self.batches // self.accumulation)

    @property
    def trained(self) -> int:
        """Batches that are trained: not the last, if it has too few samples for every process."""
        last_size = min(self.samples, self.batches * self.batch_size)
        last_size -= (self.batches - 1) * self.batch_size
        enough = last_size >= self.processes * self.smallest_share
        return self.batches if enough else self.batches - 1

    def places(self, done: int = 0) -> Iterator[Place]:
        """Yield the batches that are trained, but for the first `done`."""
        batches = self.trained
        samples_trained = min(self.samples, batches * self.batch_size)
        for number in range(done, batches):
            step, within = divmod(number, self.accumulation)
            first = step * self.accumulation
            last = min(first + self.accumulation, batches)
            samples = min(last * self.batch_size, samples_trained) - first * self.batch_size
            yield Place(number, step, within == 0, number + 1 == last, samples)

    def is_between_steps(self, batches: int) -> bool:
        """Whether so many batches of an epoch are a whole number of steps."""
        ends = (place.batch + 1 for place in self.places() if place.ends)
        return batches in (0, self.batches) or batches in ends

    def name(self, epochs: int, batches: int) -> str:
        """Return how a message calls the moment behind so many epochs, and batches of the next."""
        if batches == 0:
            return f"after epoch {epochs}"
        return f"after batch {batches} of {self.batches} of epoch {epochs + 1}"


def check_partners(settings: RunSettings, plan: StepPlan) -> None:
    """Check that every batch is trained where it is to be shown once more.

    Raises:
        ValueError: if the last of an epoch has too few images for its processes.
    """
    if settings.method.row.partners == "the last batch" and plan.trained < plan.batches:
        least = plan.processes * plan.smallest_share
        raise ValueError(
            f"Expected a `batch_size` that leaves a last batch of at least {least} images, "
            f"{plan.smallest_share} for each of {plan.processes} processes, for "
            f"{settings.method.name}, which shows it once more, got {plan.batch_size} of "
            f"{plan.samples} images."
        )
