"""Logit standardisation, TTM, ensembles, top two and function matching are their equations."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from published_batch import T, Y, Z, kl, softmax
from torch import nn

import tfkd

NETWORK = nn.Identity  # handed the teacher's logits as inputs


def standardized(row):
    mean = sum(row) / len(row)
    sd = math.sqrt(sum((x - mean) ** 2 for x in row) / (len(row) - 1))
    return [(x - mean) / (1e-7 + sd) for x in row]


def logit_standardization(z, t, y):
    ce = -math.log(softmax(z)[y])
    return 0.1 * ce + 9.0 * 4.0 * kl(softmax(standardized(t), 2.0), softmax(standardized(z), 2.0))


def matching(z, t, y, *, power, added, weighted):
    powers = [p**power for p in softmax(t)]
    total = sum(powers)
    divergence = kl([x / total for x in powers], softmax(z))
    return -math.log(softmax(z)[y]) + added * (total if weighted else 1.0) * divergence


def top_two(z, t, y):
    named = sorted(range(len(t)), key=lambda k: -t[k])[:2]
    return kl([0.5, 0.5], [softmax(z)[k] for k in named])


EQUATIONS = {
    "logit standardisation": (tfkd.logit_standardization_kd(NETWORK()), logit_standardization),
    "TTM": (
        tfkd.transformed_teacher_matching(NETWORK()),
        lambda *of: matching(*of, power=0.1, added=45.0, weighted=False),
    ),
    "WTTM": (
        tfkd.weighted_transformed_teacher_matching(NETWORK()),
        lambda *of: matching(*of, power=0.2, added=4.0, weighted=True),
    ),
    "function matching": (
        tfkd.function_matching(NETWORK(), temperature=2.0),
        lambda z, t, y: 4.0 * kl(softmax(t, 2.0), softmax(z, 2.0)),
    ),
    "top two": (tfkd.top_two_kd(NETWORK()), top_two),
}


@pytest.mark.parametrize(("criterion", "term"), EQUATIONS.values(), ids=EQUATIONS)
def test_value_and_gradient_are_those_of_a_loop(criterion, term):
    def loop(z):
        rows = zip(z.tolist(), T.tolist(), Y.tolist(), strict=True)
        return sum(term(*row) for row in rows) / len(z)

    z = Z.clone().requires_grad_()
    loss = criterion(z, Y, T)
    (gradient,) = torch.autograd.grad(loss, z)
    assert loss.item() == pytest.approx(loop(Z), rel=1e-12)
    for at in range(Z.numel()):
        change = torch.zeros_like(Z)
        change.view(-1)[at] = 1e-6
        slope = (loop(Z + change) - loop(Z - change)) / 2e-6
        assert gradient.view(-1)[at].item() == pytest.approx(slope, rel=1e-5, abs=1e-7)


def value_and_norm(criterion, without=0.0):
    """Of a loss without so much cross-entropy."""
    z = Z.clone().requires_grad_()
    loss = criterion(z, Y, T) - without * F.cross_entropy(z, Y)
    return loss.item(), torch.autograd.grad(loss, z)[0].norm().item()


@pytest.mark.parametrize(
    ("criterion", "without", "value", "norm"),
    [
        (
            tfkd.knowledge_distillation(NETWORK(), alpha=0.9, temperature=4.0),
            0.0,
            0.34238056,
            0.14311171,
        ),
        (tfkd.logit_standardization_kd(NETWORK()), 0.1, 3.12804400, 5.00825270),
        (
            tfkd.transformed_teacher_matching(NETWORK(), power=0.2, added=1.0),
            1.0,
            0.28383621,
            0.17585555,
        ),
        (
            tfkd.weighted_transformed_teacher_matching(NETWORK(), power=0.2, added=1.0),
            1.0,
            0.99184086,
            0.61538008,
        ),
    ],
    ids=["KD", "logit standardisation", "TTM", "WTTM"],
)
def test_values_of_the_official_functions(criterion, without, value, norm):
    ours, our_norm = value_and_norm(criterion, without)
    assert ours == pytest.approx(value, abs=1e-7)
    assert our_norm == pytest.approx(norm, abs=1e-7)


def test_the_hidden_scales_of_the_losses():
    standardisation = tfkd.logit_standardization_kd(NETWORK())
    assert standardisation.scale * (1 - standardisation.alpha) == pytest.approx(0.1)
    assert standardisation.scale * standardisation.alpha == pytest.approx(9.0)
    assert tfkd.transformed_teacher_matching(NETWORK()).scale == 46.0
    assert tfkd.weighted_transformed_teacher_matching(NETWORK()).scale == 5.0


def test_ttm_of_gamma_is_the_teacher_times_gamma_at_temperature_1():
    z = Z.clone().requires_grad_()
    ours = tfkd.transformed_teacher_matching(NETWORK(), power=0.3, added=2.0)(z, Y, T)
    theirs = tfkd.distillation_loss(z, Y, 0.3 * T, alpha=2 / 3, scale=3.0)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-14)
    ours, theirs = (torch.autograd.grad(loss, z)[0] for loss in (ours, theirs))
    torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-15)


def test_the_weight_of_wttm_is_the_sum_of_powers():
    teacher = tfkd.TemperedTeacher(tfkd.NetworkTeacher(NETWORK()), 5.0, weighted=True)
    shares = teacher(tfkd.Batch(Z, Y, T)).share
    by_hand = [sum(p**0.2 for p in softmax(row)) for row in T.tolist()]
    assert shares.tolist() == pytest.approx(by_hand, rel=1e-13)
    assert all(3.4 < share < 3.6 for share in by_hand)  # so much more than `added` it counts


# Ensembles.

NETWORKS = [nn.Linear(5, 5).double() for _ in range(3)]
with torch.no_grad():
    for number, network in enumerate(NETWORKS):
        drawn = torch.randn(5, 5, generator=torch.Generator().manual_seed(number))
        network.weight.copy_(2.0 * drawn.double())
        network.bias.zero_()


@pytest.mark.parametrize("tau", [1.0, 3.0])
@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_the_mean_of_several_divergences_is_that_from_the_mean_of_probabilities(average, tau):
    options = {"alpha": 0.7, "temperature": tau, "reduction": "none"}
    first, second = Z.clone().requires_grad_(), (0.5 * Z.flip(1)).requires_grad_()
    constants, gradients = [], []
    for z in (first, second):
        together = tfkd.ensemble_kd(NETWORKS, average=average, **options)(z, Y, T)
        each = [tfkd.knowledge_distillation(n, **options)(z, Y, T) for n in NETWORKS]
        apart = torch.stack(each).mean(0)
        constants.append(apart - together)
        ours, theirs = (torch.autograd.grad(x.sum(), z)[0] for x in (together, apart))
        gradients.append((ours - theirs).abs().max().item())
    same = (constants[0] - constants[1]).abs().max().item()
    if average == "probabilities":
        assert same < 1e-12
        assert max(gradients) < 1e-12
    else:
        assert same > 1e-2
        assert max(gradients) > 1e-2


def test_an_ensemble_of_one_is_that_one():
    for average in ("probabilities", "logits"):
        one = tfkd.ensemble_kd(NETWORKS[:1], average=average, alpha=0.5, temperature=3.0)
        plain = tfkd.knowledge_distillation(NETWORKS[0], alpha=0.5, temperature=3.0)
        assert one(Z, Y, T).item() == pytest.approx(plain(Z, Y, T).item(), rel=1e-13)


def test_function_matching_needs_no_labels():
    criterion = tfkd.function_matching(NETWORK())
    assert criterion.alpha == 1.0
    assert criterion(Z, Y, T).item() == criterion(Z, Y.flip(0), T).item()
    # A mixture's labels are probabilities.
    assert criterion(Z, Z.softmax(1), T).item() == criterion(Z, Y, T).item()


@pytest.mark.parametrize("power", [0.0, -1.0, math.inf])
def test_power_is_positive(power):
    for method in (tfkd.transformed_teacher_matching, tfkd.weighted_transformed_teacher_matching):
        with pytest.raises(ValueError, match="`power` to be positive"):
            method(NETWORK(), power=power)
