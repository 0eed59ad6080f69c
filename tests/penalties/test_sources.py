"""Penalties against what other code answers, and against the identities that they obey."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

import tfkd
from tfkd.penalties import (
    ConfidencePenalty,
    DualFocalLoss,
    FocalLoss,
    LogitNorm,
    MarginLabelSmoothing,
    MaxSup,
)

Z = [
    [2, 1, 0.5, -1, 0],
    [0.2, -0.3, 1.5, 0.7, -0.6],
    [-1, 0.4, 0.3, 2.2, 0.1],
    [0, 0.1, -0.2, 0.05, 0.3],
]
Y = [0, 2, 1, 3]
K = 5

# Loss and norm of the gradient on the batch above, in float64, mean over samples, as computed by
# the code named: MbLS by by-liu/MbLS at dc86503; focal and FLSD-53 by torrvision/focal_calibration
# at 475422a and dual focal by Linwei94/DualFocalLoss at e1ddb6b, whose sums are divided by 4 here;
# LogitNorm by hongxin001/logitnorm_ood at 0a60eef; MaxSup by
# ZhouYuxuanYX/Maximum-Suppression-Regularization at 5b7c0db; the confidence penalty by its formula.
NUMBERS = [
    (MaxSup(added=0.1), 1.39013709, 0.41021460),
    (MarginLabelSmoothing(added=0.1, margin=1.0), 1.32488709, 0.40942956),
    (ConfidencePenalty(added=0.1), 1.14192063, 0.40852230),
    (FocalLoss(focusing=3.0), 0.62751470, 0.44633442),
    (FocalLoss(focusing=3.0, unsure_focusing=5.0), 0.47186848, 0.43742313),
    (DualFocalLoss(focusing=5.0), 0.95671624, 0.94970302),
    (LogitNorm(temperature=0.04), 8.69416976, 20.91462343),
]


def batch():
    return torch.tensor(Z, dtype=torch.float64).requires_grad_(), torch.tensor(Y)


def same(ours, theirs, z, constant=0.0):
    """Values that differ by a constant, and equal gradients."""
    torch.testing.assert_close(ours, theirs + constant, rtol=1e-10, atol=1e-12)
    (own,) = torch.autograd.grad(ours.sum(), z)
    (expected,) = torch.autograd.grad(theirs.sum(), z)
    torch.testing.assert_close(own, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("criterion", "value", "norm"), NUMBERS, ids=lambda each: str(each)[:30])
def test_numbers_of_the_sources(criterion, value, norm):
    z, y = batch()
    loss = criterion(z, y)
    (gradient,) = torch.autograd.grad(loss, z)
    assert loss.item() == pytest.approx(value, abs=1e-8)
    assert gradient.norm().item() == pytest.approx(norm, abs=1e-8)


@pytest.mark.parametrize(
    ("ours", "other"),
    [(tfkd.focal(focusing=2.0), 4.0), (tfkd.dual_focal(focusing=2.0), 4.0)],
    ids=["focal", "dual focal"],
)
def test_the_sum_of_the_released_focal_losses_is_that_of_the_batch(ours, other):
    """The mean is what a learning rate is set for: the sum is as many times as large."""
    z, y = batch()
    mean = ours(z, y)
    ours.reduction = "sum"
    torch.testing.assert_close(ours(z, y), other * mean)
    ours.reduction = "mean"


def test_label_smoothing_is_cross_entropy_and_epsilon_times_the_true_logit_above_the_mean():
    z, y = batch()
    above = z.gather(1, y[:, None]).squeeze(1) - z.mean(1)
    theirs = F.cross_entropy(z, y) + 0.2 * above.mean()
    torch.testing.assert_close(F.cross_entropy(z, y, label_smoothing=0.2), theirs)
    same(tfkd.label_smoothing(0.2)(z, y), theirs, z, constant=-0.2 * math.log(K))


def test_max_sup_is_label_smoothing_wherever_the_label_has_the_largest_logit():
    z, y = batch()
    right = z.argmax(1) == y
    assert right.tolist() == [True, True, False, False]
    ours = tfkd.max_sup(added=0.2, reduction="none")(z, y)
    theirs = F.cross_entropy(z, y, label_smoothing=0.2, reduction="none")
    same(ours[right], theirs[right], z)
    assert (ours[~right] > theirs[~right]).all()


def test_confidence_penalty_is_the_divergence_from_the_uniform_teacher_turned_round():
    z, y = batch()
    log_p = z.log_softmax(1)
    turned_round = (log_p.exp() * (log_p - math.log(1 / K))).sum(1).mean()
    theirs = F.cross_entropy(z, y) + 0.3 * turned_round
    same(tfkd.confidence_penalty(added=0.3)(z, y), theirs, z, constant=-0.3 * math.log(K))


def test_without_a_margin_margin_label_smoothing_is_max_sup():
    z, y = batch()
    ours = tfkd.margin_label_smoothing(added=0.2, margin=0.0)(z, y)
    same(ours, tfkd.max_sup(added=0.2)(z, y), z)


def test_logit_norm_does_not_see_how_long_logits_are():
    z, y = batch()
    loss = tfkd.logit_norm(temperature=0.5)(z, y)
    torch.testing.assert_close(tfkd.logit_norm(temperature=0.5)(7.0 * z, y), loss)
    (gradient,) = torch.autograd.grad(loss, z)
    torch.testing.assert_close((gradient * z).sum(1), torch.zeros(4).double(), atol=1e-6, rtol=0)


def test_the_mean_over_samples_and_classes_would_be_a_confidence_penalty_of_beta_over_k():
    """As the confidence penalty of by-liu/MbLS at dc86503 has it."""
    z, y = batch()
    log_p = z.log_softmax(1)
    theirs = F.cross_entropy(z, y) + 0.3 * (log_p.exp() * log_p).mean()
    same(tfkd.confidence_penalty(added=0.3 / K)(z, y), theirs, z)


def test_class_weights_count_in_max_sup_by_the_label():
    """Not class by class, which gives 2.085 here (torch-uncertainty's CrossEntropyMaxSupLoss)."""
    z, y = batch()
    w = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0], dtype=torch.float64)
    above, by_label = z.amax(1) - z.mean(1), w[y]
    ours = tfkd.max_sup(added=0.1, weight=w)(z, y)
    theirs = F.cross_entropy(z, y, w) + 0.1 * (by_label * above).sum() / by_label.sum()
    same(ours, theirs, z)
    assert ours.item() == pytest.approx(1.67163, abs=1e-5)
    # A penalty that did not count by the label at all would give the other right value:
    assert (F.cross_entropy(z, y, w) + 0.1 * above.mean()).item() == pytest.approx(1.658, abs=5e-4)


def test_unreduced_max_sup_has_the_loss_of_each_sample():
    """Of shape (N,), and each its own cross-entropy, not their mean in every row of (N, 1)."""
    z, y = batch()
    ours = tfkd.max_sup(added=0.1, reduction="none")(z, y)
    assert ours.shape == (4,)
    same(ours, F.cross_entropy(z, y, reduction="none") + 0.1 * (z.amax(1) - z.mean(1)), z)
    torch.testing.assert_close(ours.mean(), tfkd.max_sup(added=0.1)(z, y))


def test_the_default_confidence_penalty_is_that_of_images():
    """Not 1, with log K added and 1e-6 within the logarithm, as torch-uncertainty has it."""
    z, y = batch()
    assert tfkd.confidence_penalty().added == 0.1
    assert tfkd.confidence_penalty()(z, y).item() == pytest.approx(1.14192063, abs=1e-8)


def test_defaults_of_the_sources():
    assert tfkd.max_sup().added == 0.1
    criterion = tfkd.margin_label_smoothing()
    assert (criterion.added, criterion.margin) == (0.1, 10.0)
    assert tfkd.focal().focusing == 3.0
    assert tfkd.logit_norm().temperature == 0.04
