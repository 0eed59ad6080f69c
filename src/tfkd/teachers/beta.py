"""The teacher of Beta smoothing: confidences drawn at random, the larger ones for the easier."""

from __future__ import annotations

import math
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfkd._checks import check_positive
from tfkd.teachers.average import AverageTeacher
from tfkd.teachers.base import Batch
from tfkd.teachers.logits import at_least_float32, class_dim


@final
class BetaTeacher(AverageTeacher):
    """Gives the true class of each sample a random probability, larger where it is easier.

    For each batch, as many b are drawn from Beta(concentration, 1), by torch's generator, as it has
    samples: b = U^(1/concentration), U uniform. They are sorted, and the largest goes to the sample
    of whose true class the average of the student's weights is surest. The teacher of sample i
    gives b_i to the true class and (1 − b_i)/(K − 1) to each other one: its gap is

        gap_i = log(b_i·(K − 1) / (1 − b_i)),  below 0 where b_i < 1/K.

    The averaged network is in train mode while the criterion trains, so that its batch norms see
    this batch and move statistics of their own, which are saved with it; they see every input, also
    those whose position is ignored, as the student's do. In eval mode, or where no gradient is
    asked for, it moves nothing. (The source's starts from random weights of its own, this one from
    a copy of the student.) The order is that of one process's batch.

    Positions of dense labels are samples each, ordered over the whole batch. Ignored ones take no
    part in the order nor in its draws. Of probability labels (mixup) the sureness is Σ_k q_k·p_k,
    and the target the mixture of those of each class. A class masked by a logit of minus infinity
    has its share of the target all the same, as in label smoothing. Half precision is ordered in
    float32.

    Needs `inputs`, and `criterion.step_ended(student)` after every step of the optimiser. Over
    several processes the first one's statistics are everybody's after each step.

    Args:
        student: the network that is trained, whole on each process: not sharded.
        concentration: β of Beta(β, 1), positive: its mean is β/(β + 1).
        decay: of the average, in [0, 1).

    Raises:
        TypeError: if `student` is no module or is sharded, or when a batch comes without `inputs`.
        ValueError: for a number out of its range, or when another network is told of.

    Source: Zhang and Sabuncu, 2020, arXiv 2006.05065; ZhiluZhang123/neurips_2020_distillation
    f913a07.

    Example:
        >>> import torch, tfkd
        >>> teacher = tfkd.BetaTeacher(torch.nn.Identity())
        >>> sure_of = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 9.0], [0.0, 0.0, 5.0]])
        >>> gaps = teacher(tfkd.Batch(sure_of, torch.tensor([2, 2, 2]), sure_of))
        >>> gaps.argsort().tolist()
        [0, 2, 1]
    """

    def __init__(
        self,
        student: nn.Module,
        *,
        concentration: float = 3.0,
        decay: float = 0.999,
    ) -> None:
        super().__init__(student, decay=decay)
        self.concentration = check_positive("concentration", concentration)

    def forward(self, batch: Batch) -> Tensor:
        """Return the gap of each sample."""
        moves = self.training and batch.student_logits.requires_grad
        if self.network.training != moves:
            self.network.train(moves)
        logits = self._ask(batch)
        log_p = F.log_softmax(at_least_float32(logits), class_dim(logits))
        sureness, counts = _sureness(log_p, batch)
        gaps = self._drawn(sureness, logits.shape[class_dim(logits)])
        # What does not count comes last, with the draws that would have been its own.
        sureness = torch.where(counts, sureness, -math.inf).flatten()
        gaps = torch.where(counts, gaps, -math.inf).flatten()
        order = sureness.argsort(descending=True, stable=True)
        gaps = torch.empty_like(gaps).scatter(0, order, gaps.sort(descending=True).values)
        return torch.where(counts, gaps.view(counts.shape), 0.0)

    def _drawn(self, like: Tensor, num_classes: int) -> Tensor:
        """Gaps of that shape, drawn: finite, since U lies off 0 by half of its smallest step."""
        uniform = torch.rand_like(like).clamp(min=torch.finfo(like.dtype).eps / 4)
        log_b = uniform.log() / self.concentration
        return log_b - (-torch.expm1(log_b)).log() + math.log(num_classes - 1)

    def extra_repr(self) -> str:
        """Return the settings for `repr`."""
        return f"concentration={self.concentration:g}, decay={self.decay:g}"


def _sureness(log_p: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """How sure a network is of the true class, in any monotonous measure; what counts."""
    dim, labels = class_dim(log_p), batch.labels
    if labels.shape == log_p.shape:
        sureness = (labels.to(log_p.dtype) * log_p.exp()).sum(dim)
        return sureness, torch.ones_like(sureness, dtype=torch.bool)
    labels = labels.long()
    known = labels.clamp(0, log_p.shape[dim] - 1).unsqueeze(dim)
    sureness = log_p.gather(dim, known).squeeze(dim)
    return sureness.clamp(min=torch.finfo(log_p.dtype).min), labels != batch.ignore_index
