"""The loss of a teacher's logits in sums of exponentials, which compile to few passes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tfkd.loss import terms
from tfkd.loss.kernels.closed_form import raised
from tfkd.loss.kernels.exponentials import LOG2_E
from tfkd.loss.terms import LossSettings, is_number
from tfkd.teachers.base import Answer


def closed_form_of_logits(
    logits: Tensor,
    labels: Tensor,
    answer: Answer,
    class_weight: Tensor | None,
    settings: LossSettings,
) -> Tensor:
    """Return `tfkd.distillation_loss` of checked arguments and a teacher's logits.

    With S(x) = Σ_k exp(x_k), and logits measured from the largest of their sample,

        KL(t_τ ‖ p_τ) = Σ_k exp(t_k/τ)·(t_k − z_k) / (τ·S(t/τ)) + log(S(z/τ) / S(t/τ))

    Args:
        logits: `(N, K)`, `(N, K, d1, ...)` or `(K,)`.
        labels: class indices, int64.
        answer: the teacher's logits, and the shares.
        class_weight: `(K,)` or None.
        settings: of the loss, α above 0; neither decoupled nor standardised.
    """
    z, labels, class_weight = terms.in_one_precision(logits, labels, class_weight)
    weight, divisor = terms.sample_weights(labels, z, class_weight, settings.ignore_index)
    answer = terms.without_ignored(answer, labels, z, settings.ignore_index)
    assert isinstance(answer.logits, Tensor)
    t = answer.logits.detach().to(z.dtype)
    share, label_share = (terms.constant(value, z) for value in answer[1:])
    numbers = (settings.alpha, settings.temperature, settings.scale)
    alpha, tau, s = (terms.constant(value, z) for value in numbers)
    dim = terms.class_dim(z)
    # The loss does not depend on what it is measured from, so neither does its gradient.
    z = (z - z.detach().amax(dim, keepdim=True)).contiguous()
    t = t - t.amax(dim, keepdim=True)
    of_t, of_z = torch.exp2(t * (LOG2_E / tau)), torch.exp2(z * (LOG2_E / tau))
    total_t, total_z = of_t.sum(dim), of_z.sum(dim)
    # Of what has no mass nothing is said, even where the student masks it.
    ahead = torch.where(of_t == 0.0, 0.0, of_t * (t - z)).sum(dim) / total_t
    loss = terms.times(alpha * tau * share, ahead + tau * (total_z / total_t).log())
    # Also reports a label out of range, as torch does.
    below = F.nll_loss(z, labels, ignore_index=settings.ignore_index, reduction="none")
    if not is_number(alpha, 1.0):
        total = total_z if is_number(tau, 1.0) else raised(of_z, z, tau).sum(dim)
        loss = loss + terms.times((1.0 - alpha) * label_share, below + total.log())
    return terms.reduced(s * terms.weighed(loss, weight), divisor, settings.reduction)
