"""The loss, whole and in tensors, for labels and teachers of every kind.

    L = s · [ (1 − α) · H(q, p)  +  α · τ² · KL(t_τ ‖ p_τ) ]

z are the student's logits, p = softmax(z) and p_τ = softmax(z/τ); q are the labels, t_τ is what the
teacher gives at temperature τ, and w are the weights of the classes. This runs wherever none of
`tfkd.loss.kernels` does, and they are held against it.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from tfkd.loss import terms
from tfkd.loss.terms import LossSettings, dot, softened


def loss_by_equation(
    z: Tensor, labels: Tensor, teacher: Tensor | float, w: Tensor | None, settings: LossSettings
) -> Tensor:
    """Return `tfkd.distillation_loss` of checked arguments; class indices are int64."""
    alpha, tau, s, ignore_index, reduction = settings
    if alpha == 0.0:  # torch's to the last bit, its derivatives too
        loss = F.cross_entropy(z, labels, w, ignore_index=ignore_index, reduction=reduction)
        return loss if s == 1.0 else s * loss

    z, labels, w = terms.in_one_precision(z, labels, w)
    class_dim, indices = terms.class_dim(z), not labels.is_floating_point()
    log_p_tau = F.log_softmax(softened(z, tau), class_dim)

    if isinstance(teacher, Tensor):
        log_t_tau = F.log_softmax(softened(teacher.detach().to(z.dtype), tau), class_dim)
    else:  # a gap: so probable are the true class and each other one, mixed where q is a mixture
        true, other = terms.softened_gap(teacher / tau, z.shape[class_dim])
        q = terms.one_hot(labels, z) if indices else labels
        log_t_tau = (other * q.sum(class_dim, keepdim=True) + (true - other) * q).log()

    # KL(t_τ ‖ p_τ) of each sample, times its weight Σ_k q_k·w_k, which is 0 where it is ignored.
    weight, divisor = terms.sample_weights(labels, z, w, ignore_index)
    teacher_term = terms.weighed(dot(log_t_tau.exp(), log_t_tau - log_p_tau, class_dim), weight)

    # H(q, p) of each sample, its classes weighed by w. Left out at α = 1: 0 · ∞ is undefined.
    label_term: Tensor | float = 0.0
    if alpha < 1.0:
        log_p = log_p_tau if tau == 1.0 else F.log_softmax(z, class_dim)
        if indices:
            label_term = F.nll_loss(log_p, labels, w, ignore_index=ignore_index, reduction="none")
        else:
            label_term = -dot(terms.times_class_weight(labels, w, class_dim), log_p, class_dim)
    elif indices:  # only to refuse an index out of range, as torch does
        F.nll_loss(log_p_tau.detach(), labels, ignore_index=ignore_index)

    loss = s * ((1.0 - alpha) * label_term + alpha * tau**2 * teacher_term)
    return terms.reduced(loss, divisor, reduction)
