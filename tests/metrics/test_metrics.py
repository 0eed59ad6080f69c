"""The metrics against scikit-learn, torchmetrics, plain loops in exact fractions, and by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise, permutations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss, top_k_accuracy_score
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
)

from tfkd import metrics

LABELLED: dict[str, Callable[[Tensor, Tensor], float]] = {
    "accuracy": metrics.accuracy,
    "nll": metrics.negative_log_likelihood,
    "ece": metrics.expected_calibration_error,
    "brier": metrics.brier_score,
    "aurc": metrics.area_under_risk_coverage,
    "augrc": metrics.area_under_generalized_risk_coverage,
    "smooth_ece": metrics.smooth_calibration_error,
}


def draw(
    num_samples: int, num_classes: int, *, seed: int = 0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """Logits that know the label a little, so that no metric is trivial."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(num_classes, (num_samples,), generator=generator)
    logits = 1.5 * torch.randn(num_samples, num_classes, generator=generator, dtype=torch.float64)
    logits[torch.arange(num_samples), labels] += 1.5
    return logits.to(dtype), labels


def softmax(logits: Tensor) -> np.ndarray:
    """Probabilities in float64, without torch."""
    values = logits.double().numpy()
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def binary(confidences: list[Fraction], correct: list[bool]) -> tuple[Tensor, Tensor]:
    """Two-class logits whose largest probability, for class 0, is the one given."""
    probs = torch.tensor([[float(c), float(1 - c)] for c in confidences], dtype=torch.float64)
    return probs.log(), torch.tensor([0 if right else 1 for right in correct])


def test_accuracy_and_nll_are_scikit_learns() -> None:
    logits, labels = draw(200, 7)
    probs = softmax(logits)
    truth = labels.numpy()
    assert metrics.accuracy(logits, labels) == accuracy_score(truth, probs.argmax(axis=1))
    assert metrics.negative_log_likelihood(logits, labels) == pytest.approx(
        log_loss(truth, probs, labels=range(7)), rel=1e-12
    )


@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_accuracy_is_torchmetrics_and_scikit_learns(top_k: int) -> None:
    logits, labels = draw(300, 9, seed=1)
    ours = metrics.accuracy(logits, labels, top_k=top_k)
    theirs = multiclass_accuracy(logits, labels, num_classes=9, average="micro", top_k=top_k)
    assert ours == pytest.approx(theirs.item(), abs=1e-6)
    assert ours == top_k_accuracy_score(labels.numpy(), logits.numpy(), k=top_k, labels=range(9))


def test_every_class_may_be_named() -> None:
    logits, labels = draw(20, 4)
    assert metrics.accuracy(logits, labels, top_k=4) == 1.0


def test_equal_logits_rank_by_class_index() -> None:
    logits = torch.zeros(4, 4)
    labels = torch.arange(4)
    assert [metrics.accuracy(logits, labels, top_k=k) for k in (1, 2, 3, 4)] == [0.25, 0.5, 0.75, 1]


def test_brier_is_the_squared_distance_to_the_one_hot_label() -> None:
    logits, labels = draw(150, 6, seed=2)
    distance = softmax(logits) - np.eye(6)[labels.numpy()]
    expected = (distance**2).sum(axis=1).mean()
    assert metrics.brier_score(logits, labels) == pytest.approx(expected, rel=1e-12)


def test_brier_by_hand() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], dtype=torch.float64).log()
    expected = ((0.25 + 0.09 + 0.04) + (0.01 + 0.81 + 0.64)) / 2
    assert metrics.brier_score(logits, torch.tensor([0, 1])) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("num_bins", [1, 10, 15])
def test_ece_is_torchmetrics(num_bins: int) -> None:
    logits, labels = draw(400, 5, seed=3)
    confidence = softmax(logits).max(axis=1)
    edges = np.arange(num_bins + 1) / num_bins
    # torchmetrics bins in float32, so nothing may lie where that makes a difference.
    assert np.abs(confidence[:, None] - edges).min() > 1e-6
    theirs = multiclass_calibration_error(
        torch.from_numpy(softmax(logits)), labels, num_classes=5, n_bins=num_bins, norm="l1"
    )
    ours = metrics.expected_calibration_error(logits, labels, num_bins=num_bins)
    assert ours == pytest.approx(theirs.item(), abs=1e-6)


def ece_by_loop(confidences: list[float], correct: list[bool], num_bins: int) -> float:
    """A sample belongs to the first bin whose upper edge it does not exceed."""
    total = 0.0
    for upper in range(1, num_bins + 1):
        low, high = (upper - 1) / num_bins, upper / num_bins
        members = [
            i for i, c in enumerate(confidences) if low < c <= high or (c == 0.0 and upper == 1)
        ]
        if members:
            right = sum(correct[i] for i in members) / len(members)
            sure = sum(confidences[i] for i in members) / len(members)
            total += len(members) / len(confidences) * abs(right - sure)
    return total


@pytest.mark.parametrize("num_bins", [1, 4, 15, 100])
def test_ece_is_the_loop_over_bins(num_bins: int) -> None:
    logits, labels = draw(120, 4, seed=4)
    probs = softmax(logits)
    correct = list(probs.argmax(axis=1) == labels.numpy())
    expected = ece_by_loop(probs.max(axis=1).tolist(), correct, num_bins)
    ours = metrics.expected_calibration_error(logits, labels, num_bins=num_bins)
    assert ours == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("num_classes", [2, 3, 5, 7, 10, 15])
def test_a_bin_holds_its_upper_edge(num_classes: int) -> None:
    # K equal logits make a confidence of exactly 1/K, the upper edge of the first of K bins. Two
    # such samples are right; the third, wrong, has 1.5/K and is alone in the second bin.
    rest = (1 - 1.5 / num_classes) / (num_classes - 1)
    probs = torch.full((3, num_classes), 1.0, dtype=torch.float64)
    probs[2] = rest
    probs[2, 0] = 1.5 / num_classes
    ours = metrics.expected_calibration_error(
        probs.log(), torch.tensor([0, 0, 1]), num_bins=num_classes
    )
    expected = 2 / 3 * (1 - 1 / num_classes) + 1 / 3 * 1.5 / num_classes
    assert ours == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_ece_of_full_confidence_is_the_error_rate(dtype: torch.dtype) -> None:
    logits = torch.tensor([[100.0, 0.0], [100.0, 0.0], [100.0, 0.0], [0.0, 100.0]], dtype=dtype)
    labels = torch.tensor([0, 0, 1, 1])
    assert metrics.expected_calibration_error(logits, labels) == pytest.approx(0.25, abs=1e-15)


def aurc_of_order(errors: tuple[int, ...]) -> Fraction:
    """Mean over coverages of the error rate among the first, in exact fractions."""
    risks = [Fraction(sum(errors[:n]), n) for n in range(1, len(errors) + 1)]
    return sum(risks, Fraction(0)) / len(errors)


def test_aurc_is_the_loop_over_coverages() -> None:
    logits, labels = draw(80, 5, seed=5)
    probs = softmax(logits)
    order = np.argsort(-probs.max(axis=1))
    assert len(np.unique(probs.max(axis=1))) == 80
    errors = (probs.argmax(axis=1) != labels.numpy())[order]
    expected = aurc_of_order(tuple(int(e) for e in errors))
    assert metrics.area_under_risk_coverage(logits, labels) == pytest.approx(
        float(expected), rel=1e-12
    )


@pytest.mark.parametrize(
    ("blocks", "correct"),
    [
        ([2, 1, 1, 1, 0], [True, False, True, True, False]),
        ([1, 1, 1, 1], [True, False, False, True]),
        ([0, 3, 3, 2, 2, 2], [False, False, True, True, False, False]),
        ([1, 0, 1, 0, 1], [False, True, True, False, False]),
    ],
)
def test_aurc_with_ties_is_the_mean_over_their_orders(
    blocks: list[int], correct: list[bool]
) -> None:
    confidences = [Fraction(1, 2) + Fraction(b + 1, 10) for b in blocks]
    values = [
        aurc_of_order(tuple(int(not correct[i]) for i in order))
        for order in permutations(range(len(blocks)))
        if all(blocks[i] >= blocks[j] for i, j in pairwise(order))
    ]
    expected = sum(values, Fraction(0)) / len(values)
    assert len(set(values)) > 1  # the order within ties would have mattered
    logits, labels = binary(confidences, correct)
    assert metrics.area_under_risk_coverage(logits, labels) == pytest.approx(
        float(expected), abs=1e-15
    )


def test_aurc_of_one_confidence_is_the_error_rate() -> None:
    logits, labels = binary([Fraction(3, 4)] * 8, [True] * 5 + [False] * 3)
    assert metrics.area_under_risk_coverage(logits, labels) == pytest.approx(3 / 8, abs=1e-15)


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 3, 2, 1, 0), (2, 0, 4, 1, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_confidences_of_the_same_logits_in_another_order_are_equal(
    order: tuple[int, ...], dtype: torch.dtype
) -> None:
    # One logit of 6.81 at p, and an error where p < 2, as votes and caches of the first class are.
    predicted = torch.arange(2000) % 5
    logits = 6.81 * torch.nn.functional.one_hot(predicted, 5).to(dtype)
    labels = torch.where(predicted < 2, predicted + 1, predicted)
    renamed = torch.tensor(order).argsort()[labels]
    assert metrics.area_under_risk_coverage(logits[:, list(order)], renamed) == pytest.approx(0.4)


def test_neither_aurc_nor_ece_depends_on_the_names_of_the_classes() -> None:
    generator = torch.Generator().manual_seed(17)
    logits = torch.randn(40, 7, generator=generator).repeat(6, 1)
    labels = torch.randint(7, (240,), generator=generator)
    values = set()
    for _ in range(5):
        # Each row in an order of its own.
        orders = torch.rand(240, 7, generator=generator).argsort(dim=1)
        renamed = (orders == labels[:, None]).long().argmax(dim=1)
        values.add(
            (
                metrics.area_under_risk_coverage(logits.gather(1, orders), renamed),
                metrics.expected_calibration_error(logits.gather(1, orders), renamed),
            )
        )
    assert len(values) == 1


def test_aurc_is_best_with_the_errors_last() -> None:
    confidences = [Fraction(9, 10), Fraction(8, 10), Fraction(7, 10), Fraction(6, 10)]
    last, first = [True, True, True, False], [False, True, True, True]
    best = metrics.area_under_risk_coverage(*binary(confidences, last))
    worst = metrics.area_under_risk_coverage(*binary(confidences, first))
    assert best == pytest.approx(1 / 16, abs=1e-15)
    assert worst == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, abs=1e-15)


def test_agreement_counts_equal_classes() -> None:
    logits, _ = draw(100, 4, seed=6)
    other, _ = draw(100, 4, seed=7, dtype=torch.float32)
    expected = np.mean(logits.numpy().argmax(axis=1) == other.numpy().argmax(axis=1))
    assert 0.0 < expected < 1.0
    assert metrics.agreement(logits, other) == expected
    assert metrics.agreement(logits, 3.0 * logits + 1.0) == 1.0


def test_all_metrics_are_the_single_ones() -> None:
    logits, labels = draw(90, 5, seed=8)
    together = metrics.all_metrics(logits, labels, num_bins=7)
    alone = {name: metric(logits, labels) for name, metric in LABELLED.items()}
    alone["ece"] = metrics.expected_calibration_error(logits, labels, num_bins=7)
    assert together == alone
    assert all(type(value) is float for value in together.values())


@pytest.mark.parametrize("name", LABELLED)
def test_invariant_to_the_order_of_samples_and_to_a_shift(name: str) -> None:
    logits, labels = draw(60, 4, seed=9)
    logits = torch.cat([logits, logits[:20]])  # ties
    labels = torch.cat([labels, (labels[:20] + 1) % 4])
    order = torch.randperm(80, generator=torch.Generator().manual_seed(0))
    value = LABELLED[name](logits, labels)
    assert LABELLED[name](logits[order], labels[order]) == pytest.approx(value, rel=1e-12)
    shift = torch.arange(80.0)[:, None].double().remainder(3)
    assert LABELLED[name](logits + shift, labels) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_low_precision_logits_count_in_float64(name: str, dtype: torch.dtype) -> None:
    logits, labels = draw(70, 6, seed=10, dtype=dtype)
    exact = LABELLED[name](logits.double(), labels)
    assert LABELLED[name](logits.requires_grad_(), labels) == exact


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32])
def test_labels_of_any_integer_dtype(dtype: torch.dtype) -> None:
    logits, labels = draw(30, 5, seed=11)
    assert metrics.all_metrics(logits, labels.to(dtype)) == metrics.all_metrics(logits, labels)


def test_masked_classes_are_as_if_absent() -> None:
    logits, labels = draw(50, 4, seed=12)
    masked = torch.cat([logits, torch.full((50, 2), -math.inf)], dim=1)
    expected = pytest.approx(metrics.all_metrics(logits, labels), rel=1e-12)
    assert metrics.all_metrics(masked, labels) == expected


def test_a_masked_label_has_infinite_nll() -> None:
    logits = torch.tensor([[0.0, -math.inf, 0.0], [0.0, 0.0, 0.0]])
    values = metrics.all_metrics(logits, torch.tensor([1, 0]))
    assert values["nll"] == math.inf
    assert values["brier"] == pytest.approx(((0.25 + 1 + 0.25) + (4 + 1 + 1) / 9) / 2, rel=1e-12)
    assert values["accuracy"] == 0.5


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_logits_without_a_softmax_are_refused(name: str, value: float) -> None:
    logits, labels = draw(5, 3)
    logits[2, 1] = value
    with pytest.raises(ValueError, match="without NaN or"):
        LABELLED[name](logits, labels)
    logits[2] = -math.inf
    with pytest.raises(ValueError, match="in 1 of 5 rows"):
        LABELLED[name](logits, labels)


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize(("label", "shown"), [(-100, "-100"), (3, "3")])
def test_labels_out_of_range_are_refused(name: str, label: int, shown: str) -> None:
    logits, labels = draw(5, 3)
    labels[1] = label
    with pytest.raises(ValueError, match=rf"`labels` in \[0, 2\], got {shown}\."):
        LABELLED[name](logits, labels)


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize(
    ("logits", "labels", "error"),
    [
        ([[0.0, 1.0]], torch.zeros(1, dtype=torch.long), TypeError),
        (torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, dtype=torch.long), TypeError),
        (torch.zeros(2, 3), [0, 1], TypeError),
        (torch.zeros(2, 3), torch.zeros(2), TypeError),
        (torch.zeros(2, 3), torch.zeros(2, dtype=torch.bool), TypeError),
        (torch.zeros(3), torch.zeros(3, dtype=torch.long), ValueError),
        (torch.zeros(2, 3, 4), torch.zeros(2, dtype=torch.long), ValueError),
        (torch.zeros(2, 3), torch.zeros(3, dtype=torch.long), ValueError),
        (torch.zeros(2, 3), torch.zeros(2, 1, dtype=torch.long), ValueError),
        (torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), ValueError),
        (torch.zeros(2, 1), torch.zeros(2, dtype=torch.long), ValueError),
        (torch.zeros(2, 3), torch.zeros(2, dtype=torch.long, device="meta"), ValueError),
    ],
)
def test_wrong_input_is_refused(
    name: str, logits: Tensor, labels: Tensor, error: type[Exception]
) -> None:
    with pytest.raises(error, match="Expected `l"):
        LABELLED[name](logits, labels)


def test_wrong_options_are_refused() -> None:
    logits, labels = draw(5, 3)
    for top_k in (0, -1, 4):
        with pytest.raises(ValueError, match="`top_k`"):
            metrics.accuracy(logits, labels, top_k=top_k)
    with pytest.raises(TypeError, match="`top_k`"):
        metrics.accuracy(logits, labels, top_k=True)
    for metric in (metrics.expected_calibration_error, metrics.all_metrics):
        with pytest.raises(ValueError, match="`num_bins`"):
            metric(logits, labels, num_bins=0)
        with pytest.raises(TypeError, match="`num_bins`"):
            metric(logits, labels, num_bins=1.5)  # type: ignore[arg-type]


def test_agreement_refuses_what_cannot_agree() -> None:
    logits, labels = draw(5, 3)
    with pytest.raises(ValueError, match="`other` of shape"):
        metrics.agreement(logits, logits[:4])
    with pytest.raises(TypeError, match="`other`"):
        metrics.agreement(logits, labels)
    broken = logits.clone()
    broken[0, 0] = math.nan
    with pytest.raises(ValueError, match="`other` without NaN"):
        metrics.agreement(logits, broken)
    with pytest.raises(ValueError, match="`logits` without NaN"):
        metrics.agreement(broken, logits)
