"""Each dialect against its source's formula, with its loops and reductions, in float64."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tfkd

# The released hyper-parameters, as its params.json files have them:
# run, alpha, T, multiplier, K, label weight, teacher weight per sample, alpha and scale normalised.
KD = [
    ("KD to MobileNetV2, ShuffleNetV2", 0.95, 20, 1, 100, 0.05, 0.0095, 0.160, 0.0595),
    ("KD to ResNet18, Re-KD", 0.6, 20, 1, 100, 0.40, 0.006, 0.0148, 0.406),
    ("KD to the plain CNN, CIFAR-100", 0.9, 20, 1, 100, 0.10, 0.009, 0.083, 0.109),
    ("KD to the plain CNN, CIFAR-10", 0.9, 20, 1, 10, 0.10, 0.09, 0.474, 0.19),
    ("self MobileNetV2, ShuffleNetV2", 0.95, 20, 1, 100, 0.05, 0.0095, 0.160, 0.0595),
    ("self ResNet18", 0.95, 6, 50, 100, 0.05, 0.475, 0.905, 0.525),
    ("self DenseNet121", 0.9, 20, 50, 100, 0.10, 0.45, 0.818, 0.55),
    ("self GoogLeNet", 0.4, 20, 50, 100, 0.60, 0.20, 0.25, 0.80),
    ("self ResNeXt29", 0.9, 20, 100, 100, 0.10, 0.90, 0.90, 1.00),
]
REG = [
    ("reg MobileNetV2", 0.95, 40, 1, 100, 0.05, 0.0095, 0.160, 0.0595),
    ("reg ShuffleNetV2", 0.95, 10, 1, 100, 0.05, 0.0095, 0.160, 0.0595),
    ("reg ResNet18", 0.1, 20, 100, 100, 0.90, 0.10, 0.100, 1.00),
    ("reg GoogLeNet", 0.1, 40, 50, 100, 0.90, 0.05, 0.0526, 0.95),
]
NAMES = "run, alpha, temperature, multiplier, num_classes, kept, taught, norm_alpha, scale"


def table(rows):
    return pytest.mark.parametrize(NAMES, rows, ids=[row[0] for row in rows])


def batch(num_classes):
    g = torch.Generator().manual_seed(5)
    z = (2 * torch.randn(4, num_classes, generator=g)).double().requires_grad_()
    return z, torch.randint(num_classes, (4,), generator=g), torch.randn(4, 3, generator=g).double()


def same(ours, theirs, z, constant=0.0):
    torch.testing.assert_close(ours, theirs + constant, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(
        torch.autograd.grad(ours, z)[0], torch.autograd.grad(theirs, z)[0], rtol=1e-9, atol=1e-13
    )


def divided_by_all_elements(log_p, target):
    """The default `nn.KLDivLoss()`, which divides by N·K and warns of it."""
    with pytest.warns(UserWarning, match="batchmean"):
        return nn.KLDivLoss()(log_p, target)


def is_normalised(criterion, kept, taught, norm_alpha, scale):
    assert criterion.alpha == pytest.approx(norm_alpha, abs=6e-4)
    assert criterion.scale == pytest.approx(scale, abs=1e-12)
    assert criterion.scale * (1 - criterion.alpha) == pytest.approx(kept, abs=1e-12)
    assert criterion.scale * criterion.alpha == pytest.approx(taught, abs=1e-12)


@table(KD)
def test_released_kd(
    reference, run, alpha, temperature, multiplier, num_classes, kept, taught, norm_alpha, scale
):
    z, labels, inputs = batch(num_classes)
    teacher = reference.Scores(num_classes)
    criterion = tfkd.released_kd(
        teacher,
        alpha=alpha,
        temperature=temperature,
        num_classes=num_classes,
        multiplier=multiplier,
    )
    soft_target = (teacher(inputs).detach() / temperature).softmax(1)
    divergence = divided_by_all_elements(F.log_softmax(z / temperature, 1), soft_target)
    theirs = alpha * temperature**2 * multiplier * divergence
    theirs = theirs + (1 - alpha) * F.cross_entropy(z, labels)
    same(criterion(z, labels, inputs), theirs, z)
    is_normalised(criterion, kept, taught, norm_alpha, scale)
    assert criterion.temperature == temperature


@table(REG)
def test_released_tf_kd_reg(
    run, alpha, temperature, multiplier, num_classes, kept, taught, norm_alpha, scale
):
    z, labels, _ = batch(num_classes)
    criterion = tfkd.released_tf_kd_reg(
        alpha=alpha, temperature=temperature, num_classes=num_classes, multiplier=multiplier
    )
    designed = torch.empty(z.shape, dtype=torch.float64)
    for n in range(len(labels)):
        for k in range(num_classes):
            designed[n, k] = 0.99 if k == labels[n] else (1 - 0.99) / (num_classes - 1)
    # Softmax over probabilities, and a student without temperature.
    divergence = divided_by_all_elements(F.log_softmax(z, 1), (designed / temperature).softmax(1))
    theirs = (1 - alpha) * F.cross_entropy(z, labels) + alpha * multiplier * divergence
    same(criterion(z, labels), theirs, z)
    is_normalised(criterion, kept, taught, norm_alpha, scale)
    assert criterion.temperature == 1.0


@pytest.mark.parametrize("num_classes", [10, 100])
@pytest.mark.parametrize("epsilon", [0.1, 0.4])
def test_released_label_smoothing_equals_its_source_less_a_constant(num_classes, epsilon):
    z, labels, _ = batch(num_classes)
    log_p, theirs = F.log_softmax(z, 1), 0.0
    for n in range(len(labels)):
        for k in range(num_classes):
            target = 1 - epsilon if k == labels[n] else epsilon / (num_classes - 1)
            theirs = theirs - target * log_p[n, k] / len(labels)
    criterion = tfkd.released_label_smoothing(num_classes=num_classes, alpha=epsilon)
    constant = -epsilon * num_classes / (num_classes - 1) * math.log(num_classes)
    same(criterion(z, labels), theirs, z, constant)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.9, 1.0])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 20.0])
def test_eq_4_as_printed(reference, alpha, temperature):
    z, labels, inputs = batch(10)
    teacher = reference.Scores(10)
    theirs = (1 - alpha) * F.cross_entropy(z, labels) + alpha * F.kl_div(
        F.log_softmax(z / temperature, 1),
        (teacher(inputs).detach() / temperature).softmax(1),
        reduction="batchmean",
    )
    same(tfkd.paper_kd(teacher, alpha=alpha, temperature=temperature)(z, labels, inputs), theirs, z)


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.9, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 20.0, 40.0])
def test_eq_9_as_printed(alpha, temperature):
    z, labels, _ = batch(10)
    designed = torch.full_like(z, (1 - 0.99) / 9).scatter(1, labels.unsqueeze(1), 0.99)
    theirs = (1 - alpha) * F.cross_entropy(z, labels) + alpha * F.kl_div(
        F.log_softmax(z / temperature, 1),
        (designed.log() / temperature).softmax(1),
        reduction="batchmean",
    )
    same(tfkd.paper_tf_kd_reg(alpha=alpha, temperature=temperature)(z, labels), theirs, z)


def build_all(reference, **options):
    numbers = {"alpha": 0.5, "temperature": 4.0}
    network = reference.Scores(10)
    return {
        "released_kd": tfkd.released_kd(network, num_classes=10, **numbers, **options),
        "released_tf_kd_reg": tfkd.released_tf_kd_reg(num_classes=10, **numbers, **options),
        "released_label_smoothing": tfkd.released_label_smoothing(num_classes=10, **options),
        "paper_kd": tfkd.paper_kd(network, **numbers, **options),
        "paper_tf_kd_reg": tfkd.paper_tf_kd_reg(**numbers, **options),
    }


def test_every_dialect_is_the_same_loss_and_takes_torchs_options(reference):
    z, labels, inputs = batch(10)
    weight = torch.linspace(0.5, 2.0, 10, dtype=torch.float64)
    ignored = int(labels[0])
    options = {"weight": weight, "ignore_index": ignored, "reduction": "none"}
    plain = build_all(reference, reduction="none")
    for name, criterion in build_all(reference, **options).items():
        assert type(criterion) is tfkd.DistillationLoss
        expected = plain[name](z, labels, inputs) * weight[labels] * (labels != ignored)
        torch.testing.assert_close(criterion(z, labels, inputs), expected, msg=name)


REFUSED = [
    ("released_kd", {"alpha": 1.5}, ValueError, r"`alpha` in \[0, 1\], got 1\.5"),
    ("released_kd", {"temperature": 0.0}, ValueError, "`temperature` .*got 0"),
    ("released_kd", {"num_classes": 1}, ValueError, "`num_classes` .*2, got 1"),
    ("released_kd", {"num_classes": 10.0}, TypeError, "`num_classes` .*int, got float"),
    ("released_kd", {"multiplier": -1.0}, ValueError, "`multiplier` .*got -1"),
    ("released_tf_kd_reg", {"alpha": -1.0}, ValueError, r"`alpha` in \[0, 1\], got -1"),
    ("released_tf_kd_reg", {"temperature": -2.0}, ValueError, "`temperature` .*got -2"),
    ("released_tf_kd_reg", {"confidence": 0.01}, ValueError, "`confidence` .*got 0.01"),
    ("released_tf_kd_reg", {"confidence": 1.2}, ValueError, "`confidence` .*got 1.2"),
    ("released_label_smoothing", {"alpha": 0.95}, ValueError, "`alpha` .*got 0.95"),
    ("paper_kd", {"alpha": 2.0}, ValueError, r"`alpha` in \[0, 1\], got 2"),
    ("paper_kd", {"temperature": math.inf}, ValueError, "`temperature` .*got inf"),
    ("paper_tf_kd_reg", {"temperature": 0}, ValueError, "`temperature` .*got 0"),
]


@pytest.mark.parametrize(("name", "wrong", "error", "message"), REFUSED)
def test_errors_speak_of_the_sources_own_numbers(reference, name, wrong, error, message):
    right = {"num_classes": 10, "alpha": 0.5, "temperature": 4.0}
    if name == "released_label_smoothing":
        del right["temperature"]
    if name.startswith("paper"):
        del right["num_classes"]
    model = (reference.Scores(10),) if name.endswith("_kd") else ()
    with pytest.raises(error, match="^Expected " + message):
        getattr(tfkd, name)(*model, **{**right, **wrong})
