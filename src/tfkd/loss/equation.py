"""The loss, whole and in tensors, for labels and teachers of every kind.

    L = s · [ (1 − α) · H(q, p)  +  α · τ² · KL(t_τ ‖ p_τ) ]

z are the student's logits, p = softmax(z) and p_τ = softmax(z/τ); q are the labels, t_τ is what the
teacher gives at temperature τ, and w are the weights of the classes. A teacher may weigh both terms
of each sample by shares. This runs wherever none of `tfkd.loss.kernels` does, and they are held
against it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tfkd.loss import terms
from tfkd.loss.decoupled import decoupled_divergence
from tfkd.loss.terms import LossSettings, constant, dot, is_number, softened, times
from tfkd.teachers.base import Answer, replaced
from tfkd.teachers.few_logits import FewLogits, all_logits


def loss_by_equation(
    z: Tensor, labels: Tensor, answer: Answer, w: Tensor | None, settings: LossSettings
) -> Tensor:
    """Return `tfkd.distillation_loss` of checked arguments; class indices are int64."""
    alpha, tau, s, ignore_index, reduction, decoupled, standardize, falls_to_0 = settings
    labels_alone = is_number(alpha, 0.0) and is_number(answer.label_share, 1.0)
    if labels_alone and not falls_to_0:
        # torch's to the last bit, its derivatives too
        loss = F.cross_entropy(z, labels, w, ignore_index=ignore_index, reduction=reduction)
        return loss if is_number(s, 1.0) else constant(s, loss) * loss

    z, labels, w = terms.in_one_precision(z, labels, w)
    alpha, tau, s = (constant(number, z) for number in (alpha, tau, s))
    dim, indices = terms.class_dim(z), not labels.is_floating_point()
    if labels_alone and indices:
        return times(
            s, F.cross_entropy(z, labels, w, ignore_index=ignore_index, reduction=reduction)
        )
    weight, divisor = terms.sample_weights(labels, z, w, ignore_index)
    if labels_alone:
        label_term = _label_term(F.log_softmax(z, dim), labels, w, ignore_index)
        return terms.reduced(times(s, label_term), divisor, reduction)

    answer = terms.without_ignored(answer, labels, z, ignore_index)
    z = terms.near_0(z)
    seen = terms.standardized(z, dim) if standardize else z
    log_p_tau = F.log_softmax(softened(seen, tau), dim)
    log_t_tau = _log_teacher(z, labels, answer.logits, tau, standardize)

    # KL(t_τ ‖ p_τ) of each sample, times its weight Σ_k q_k·w_k, which is 0 where it is ignored.
    if decoupled is None:
        divergence = dot(log_t_tau.exp(), log_t_tau - log_p_tau, dim)
    else:
        divergence = decoupled_divergence(log_t_tau, log_p_tau, labels, ignore_index, decoupled)
    teacher_term = terms.weighed(times(constant(answer.share, z), divergence), weight)

    # H(q, p) of each sample, its classes weighed by w. Left out at α = 1: 0 · ∞ is undefined.
    kept: Tensor | float = 0.0
    if not is_number(alpha, 1.0):
        same = is_number(tau, 1.0) and not standardize
        log_p = log_p_tau if same else F.log_softmax(z, dim)
        label_term = _label_term(log_p, labels, w, ignore_index)
        kept = times(1.0 - alpha, times(constant(answer.label_share, z), label_term))
    elif indices:  # only to refuse an index out of range, as torch does
        F.nll_loss(log_p_tau.detach(), labels, ignore_index=ignore_index)

    loss = s * (kept + times(alpha * tau**2, teacher_term))
    return terms.reduced(loss, divisor, reduction)


def _label_term(log_p: Tensor, labels: Tensor, w: Tensor | None, ignore_index: int) -> Tensor:
    """H(q, p) of each sample, its classes weighed by w."""
    if not labels.is_floating_point():
        loss = F.nll_loss(log_p, labels, ignore_index=ignore_index, reduction="none")
        # Of a class of no weight 0, even where it is masked; torch's weighs infinity by 0.
        return (
            loss if w is None else terms.times(terms.index_weights(labels, w, ignore_index), loss)
        )
    dim = terms.class_dim(log_p)
    return -dot(terms.times_class_weight(labels, w, dim), log_p, dim)


def _log_teacher(
    z: Tensor,
    labels: Tensor,
    teacher: Tensor | FewLogits | float,
    tau: Tensor | float,
    standardize: bool,
) -> Tensor:
    """Log t_τ, of the shape of the logits."""
    dim = terms.class_dim(z)
    if isinstance(teacher, FewLogits):
        teacher = all_logits(replaced(teacher, values=teacher.values.to(z.dtype)), z.shape[dim])
    if isinstance(teacher, Tensor) and teacher.shape == z.shape:
        t = terms.near_0(teacher.detach().to(z.dtype))
        t = terms.standardized(t, dim) if standardize else t
        return F.log_softmax(softened(t, tau), dim)
    gap = constant(teacher, z)
    gap = terms.standardized_gap(gap, z.shape[dim]) if standardize else gap
    if not labels.is_floating_point():
        log_true, log_other = terms.log_softened_gap(gap / tau, z)
        return torch.where(terms.one_hot(labels, z).bool(), log_true, log_other)
    # So probable are the true class and each other one, mixed as q is a mixture.
    true, other = terms.softened_gap(gap / tau, z.shape[dim])
    true, other = terms.by_sample(true, dim), terms.by_sample(other, dim)
    log: Tensor = (other * labels.sum(dim, keepdim=True) + (true - other) * labels).log()
    return log
