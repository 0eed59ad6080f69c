"""The divergence in two parts, that of the true class and that among the wrong ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tfkd.loss.terms import class_dim, dot, one_hot


def decoupled_divergence(
    log_t: Tensor,
    log_p: Tensor,
    labels: Tensor,
    ignore_index: int,
    weights: tuple[float, float],
) -> Tensor:
    r"""Return target · kl(t_y ‖ p_y) + non_target · KL(t̂ ‖ p̂) of each sample.

    The first is binary, of the true class y against all others; hats are softmaxed among the wrong
    classes alone. With the weights 1 and 1 − t_y it is KL(t ‖ p). A teacher that gives all wrong
    classes nothing says nothing of them: the second part is 0.

    Args:
        log_t: log-probabilities of the teacher, `(N, K, ...)` or `(K,)`.
        log_p: of the student, alike.
        labels: class indices.
        ignore_index: class index that stands for none.
        weights: `target` and `non_target`.

    Source: Zhao et al., 2022, arXiv 2203.08679, eqs. 4-7.
    """
    target, non_target = weights
    dim = class_dim(log_p)
    # Clamped only so that this look-up cannot fail before torch reports the label itself.
    known = torch.where(labels == ignore_index, 0, labels).clamp(0, log_p.shape[dim] - 1)
    of_true = one_hot(known, log_p).bool()
    index = known.unsqueeze(dim)
    log_t_wrong, log_t_hat = _among_others(log_t, of_true, dim)
    log_p_wrong, log_p_hat = _among_others(log_p, of_true, dim)
    result = log_p.new_zeros(labels.shape)
    if target != 0.0:
        t = torch.cat([log_t.gather(dim, index), log_t_wrong], dim)
        p = torch.cat([log_p.gather(dim, index), log_p_wrong], dim)
        result = result + target * dot(t.exp(), t - p, dim)
    if non_target != 0.0:
        result = result + non_target * dot(log_t_hat.exp(), log_t_hat - log_p_hat, dim)
    return result


def _among_others(log: Tensor, of_true: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The logarithm of the mass of the wrong classes, and of how it is shared among them."""
    others = log.masked_fill(of_true, -math.inf)
    any_mass = (others > -math.inf).any(dim, keepdim=True)
    # Where none has mass, the sum of exponentials has no derivative.
    total = torch.where(any_mass, others, 0.0).logsumexp(dim, keepdim=True)
    return torch.where(any_mass, total, -math.inf), others - total
