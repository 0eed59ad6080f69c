"""What is shown beside the images of a batch, in lock step with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import final

import numpy as np
from numpy.typing import NDArray

from tfkd.data.batches.loader import EpochPlan, ImageBatch, Loader
from tfkd.data.batches.sampler import occurrences, same_class_order
from tfkd.data.randomness import PARTNERS, derive_seed


@dataclass(frozen=True, kw_only=True)
class PartnersPlan(EpochPlan):
    """A plan in lock step with another, with draws of its own for augmentation.

    Args:
        beside: the other, whose settings it has but for the seed.
    """

    beside: EpochPlan

    def occurrences(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return for each place of an order how often its sample has come before."""
        return occurrences(order)


@dataclass(frozen=True, kw_only=True)
class OfTheClass(PartnersPlan):
    """For every place of the other plan a random sample of the same class, perhaps the same one.

    Args:
        labels: (samples,) their classes.
    """

    labels: NDArray[np.int64] = field(compare=False)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the positions of the partners in the order of the epoch."""
        order, seed = self.beside.order(epoch), self.beside.seed
        return same_class_order(order, self.labels, seed=seed, epoch=epoch)


@dataclass(frozen=True, kw_only=True)
class TheLastBatch(PartnersPlan):
    """For every batch of the other plan the one before, which may be that of the epoch before."""

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the positions of the last epoch's last batch, and of all but this one's."""
        sizes = self.beside.sizes(epoch)
        order = self.beside.order(epoch)[: sum(sizes[:-1])]
        if epoch == 0:
            return order
        before = self.beside.order(epoch - 1)[: sum(sizes)]
        return np.concatenate([before[len(before) - sizes[-1] :], order])

    def sizes(self, epoch: int) -> list[int]:
        """Return the sizes of the batches; before the first of all there is none."""
        *others, last = self.beside.sizes(epoch)
        return [last if epoch > 0 else 0, *others]


def plan_beside(plan: EpochPlan, partners: str, labels: NDArray[np.int64]) -> PartnersPlan:
    """Return the plan of what is shown beside another.

    Args:
        plan: the other.
        partners: "of the class" or "the last batch".
        labels: (samples,) classes of the samples.
    """
    own = {f.name: getattr(plan, f.name) for f in fields(EpochPlan)}
    own["seed"] = derive_seed(plan.seed, PARTNERS)
    if partners == "of the class":
        return OfTheClass(**own, beside=plan, labels=labels)
    return TheLastBatch(**own, beside=plan)


@final
class PartneredLoader(Loader):
    """The batches of a loader, each with that of another beside it; made by `make_loader`."""

    def __init__(self, plan: EpochPlan, first: Loader, second: Loader) -> None:
        super().__init__(plan)
        self._first, self._second = first, second

    def _batches(self, epoch: int, skip: int) -> Iterator[ImageBatch]:
        second = self._second.batches(epoch, skip)
        for batch, partners in zip(self._first.batches(epoch, skip), second, strict=True):
            yield batch._replace(partners=partners if partners.global_size > 0 else None)
