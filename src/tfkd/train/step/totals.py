"""Loss and accuracy of an epoch: kept on the device, added up when somebody asks."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor

from tfkd.metrics.multi_label import MISSING

# Small tensors held one by one cost memory and time; so many at most.
FOLD = 256
# Waiting for a device empties its queue; so many batches lie between two such waits.
LOOK = 32


class Totals(NamedTuple):
    """What an epoch came to so far, over all processes.

    Args:
        losses: (batches,) float64 on the CPU, of each batch the mean loss times its samples.
        correct: number of samples whose largest logit is that of their label; of several labels
            that each may have, those with all of them right.
        samples: number of samples.
    """

    losses: Tensor
    correct: int
    samples: int

    @classmethod
    def none(cls) -> Totals:
        """Return those of an epoch that has not begun."""
        return cls(torch.zeros(0, dtype=torch.float64), 0, 0)


class EpochTotals:
    """Collects what the batches of an epoch came to.

    The loss is kept for each batch: so a sum over them does not depend on when it was taken, and
    an epoch that was interrupted comes to the same as one that was not, to the last bit.

    Args:
        accelerator: of the processes.
        before: what the epoch had come to when it was interrupted.
    """

    def __init__(self, accelerator: Accelerator, before: Totals | None = None) -> None:
        self._accelerator = accelerator
        self._before = Totals.none() if before is None else before
        self._losses: list[Tensor] = []
        self._hits: list[Tensor] = []
        self._sizes: list[int] = []
        self._folded_losses: list[Tensor] = []
        self._folded_hits: list[Tensor] = []
        self._unseen: list[Tensor] = []
        self._seen, self._sum = 0, 0.0

    @property
    def mean_loss(self) -> float | None:
        """Mean over the batches of this process that were looked at; None: none was yet."""
        return self._sum / self._seen if self._seen else None

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch of this process: its mean loss, logits `(n, K)`, labels `(n,)` or alike."""
        loss = loss.detach()
        self._losses.append(loss)
        self._unseen.append(loss)
        self._hits.append(_are_right(logits.detach(), labels))
        self._sizes.append(len(labels))
        if len(self._losses) >= FOLD:
            self._fold()

    def look(self) -> bool:
        """Whether a loss of this process is found not to be finite.

        On a CPU every loss is looked at; on another device, which must be waited for, some at once.
        """
        unseen = self._unseen
        if not unseen or (len(unseen) < LOOK and unseen[0].device.type != "cpu"):
            return False
        self._unseen = []
        losses = [unseen[0].item()] if len(unseen) == 1 else torch.stack(unseen).tolist()
        self._seen, self._sum = self._seen + len(losses), self._sum + sum(losses)
        return not all(math.isfinite(loss) for loss in losses)

    def gather(self) -> Totals:
        """Return the totals over all processes, each of which must call this."""
        if not self._sizes:
            return self._before
        self._fold()
        losses = torch.cat(self._folded_losses).cpu()
        hits = int(torch.stack(self._folded_hits).sum())
        sizes = torch.tensor(self._sizes, dtype=torch.float64)
        mine = torch.cat([losses * sizes, torch.tensor([hits, sizes.sum()], dtype=torch.float64)])
        if self._accelerator.num_processes > 1:
            device = self._accelerator.device
            parts = self._accelerator.gather(mine[None].to(device)).cpu()
            mine = parts[0]
            for part in parts[1:]:  # in the order of the processes, whatever the backend does
                mine = mine + part
        return Totals(
            torch.cat([self._before.losses, mine[:-2]]),
            self._before.correct + int(mine[-2]),
            self._before.samples + int(mine[-1]),
        )

    def _fold(self) -> None:
        if self._losses:
            self._folded_losses.append(torch.stack(self._losses).double())
            self._folded_hits.append(torch.cat(self._hits).sum())
            self._losses, self._hits = [], []


def _are_right(logits: Tensor, labels: Tensor) -> Tensor:
    if labels.ndim == 2:
        return (((logits > 0.0) == (labels == 1.0)) | (labels == MISSING)).all(1)
    return logits.argmax(1) == labels
