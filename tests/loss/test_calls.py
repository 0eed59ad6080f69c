"""How hosts call a criterion: torch's names, and one divisor for several batches."""

from __future__ import annotations

import double_criteria
import pytest
import torch
import torch.nn.functional as F
from double_criteria import K, Network

import tfkd

CRITERIA = {
    **double_criteria.CRITERIA,
    "tf_kd_reg": lambda **own: tfkd.tf_kd_reg(alpha=0.4, temperature=3.0, scale=2.0, **own),
}


def rows():
    """A batch whose parts of three count 3, 0, 1 and 2 positions."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(12, K, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(K, (12,), generator=generator)
    labels[[3, 4, 5, 6, 8, 10]] = -100
    return logits, labels, torch.randn(12, 2, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", CRITERIA)
def test_batches_whose_gradients_are_added_are_the_one_large_batch(name, either_way):
    logits, labels, inputs = rows()
    criterion = CRITERIA[name]()
    large = criterion(logits, labels, inputs)
    count = (labels != -100).sum()
    parts = [slice(first, first + 3) for first in range(0, 12, 3)]
    losses = [
        criterion(logits[part], labels[part], inputs[part], num_items_in_batch=count)
        for part in parts
    ]
    torch.testing.assert_close(sum(losses), large)
    ours, expected = (torch.autograd.grad(loss, logits)[0] for loss in (sum(losses), large))
    torch.testing.assert_close(ours, expected)
    means = sum(criterion(logits[p], labels[p], inputs[p]) for p in parts if (labels[p] >= 0).any())
    assert (means / 3 - large).abs() > 1e-3  # the mean of means is another number


def test_values_are_those_of_torch_and_of_the_equation():
    logits, labels, inputs = rows()
    ours = tfkd.cross_entropy()(logits, labels, num_items_in_batch=7)
    torch.testing.assert_close(ours, F.cross_entropy(logits, labels, reduction="sum") / 7)
    smoothed = tfkd.label_smoothing(alpha=0.3)(logits, labels, num_items_in_batch=7.0)
    expected = F.cross_entropy(logits, labels, label_smoothing=0.3, reduction="sum")
    counted = (labels != -100).sum()
    constant = 0.3 * counted * torch.tensor(K).double().log()
    torch.testing.assert_close(smoothed, (expected - constant) / 7)
    alpha, tau, counts = 0.4, 3.0, labels != -100
    log_p, log_p_t = logits.log_softmax(1), (logits / tau).log_softmax(1)
    t = (Network()(inputs) / tau).softmax(1).detach()
    each = alpha * tau**2 * (t * (t.log() - log_p_t)).sum(1)
    each = each - (1 - alpha) * log_p.gather(1, labels.clamp(0).unsqueeze(1)).squeeze(1)
    ours = CRITERIA["knowledge_distillation"]()(logits, labels, inputs, num_items_in_batch=7)
    expected = each[counts].sum() / 7
    torch.testing.assert_close(ours, expected)
    ours, expected = (torch.autograd.grad(loss, logits)[0] for loss in (ours, expected))
    torch.testing.assert_close(ours, expected)


def test_class_weights_count_in_the_sum():
    logits, labels, _ = rows()
    weight = torch.tensor([1.0, 0.5, 2.0, 3.0, 0.1], dtype=torch.float64)
    ours = tfkd.cross_entropy(weight=weight)(logits, labels, num_items_in_batch=6)
    expected = F.cross_entropy(logits, labels, weight, reduction="sum") / 6
    torch.testing.assert_close(ours, expected)


def test_any_number_divides_and_keeps_the_dtype():
    logits, labels = torch.randn(4, K), torch.randint(K, (4,))
    expected = F.cross_entropy(logits, labels, reduction="sum") / 8
    for eight in (8, 8.0, torch.tensor(8), torch.tensor(8.0, dtype=torch.float64)):
        loss = tfkd.cross_entropy()(logits, labels, num_items_in_batch=eight)
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, expected)
    assert tfkd.cross_entropy()(logits, labels, num_items_in_batch=None) == F.cross_entropy(
        logits, labels
    )


@pytest.mark.parametrize("none", [0, 0.0, torch.tensor(0), torch.tensor(0.0)], ids=repr)
@pytest.mark.parametrize("name", CRITERIA)
def test_a_step_in_which_nothing_counts_teaches_nothing(name, none, either_way):
    logits, labels, inputs = rows()
    labels[:] = -100
    loss = CRITERIA[name]()(logits, labels, inputs, num_items_in_batch=none)
    assert loss == 0.0
    (gradient,) = torch.autograd.grad(loss, logits)
    assert (gradient == 0.0).all()


@pytest.mark.parametrize("counted", [257, torch.tensor(257)], ids=repr)
@pytest.mark.parametrize("name", CRITERIA)
def test_a_count_that_bfloat16_has_no_room_for(name, counted):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(257, K, generator=generator).bfloat16().requires_grad_()
    labels = torch.randint(K, (257,), generator=generator)
    inputs = torch.randn(257, 2, generator=generator, dtype=torch.float64)
    criterion = CRITERIA[name]()
    loss = criterion(logits, labels, inputs, num_items_in_batch=counted)
    exact = logits.detach().double().requires_grad_()
    expected = criterion(exact, labels, inputs, num_items_in_batch=257)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=0.0)
    ours, theirs = (
        torch.autograd.grad(one, z)[0] for one, z in ((loss, logits), (expected, exact))
    )
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.double(), theirs, rtol=2**-8, atol=1e-7)


@pytest.mark.parametrize("name", ["cross_entropy", "label_smoothing", "focal"])
def test_a_sum_that_float16_has_no_room_for(name):
    """40,000 positions whose losses add up to more than 65,504."""
    criterion = CRITERIA[name]()
    logits = torch.tensor([[0.0, 8.0]]).half().expand(40_000, 2).clone().requires_grad_()
    labels = torch.zeros(40_000, dtype=torch.int64)
    loss = criterion(logits, labels, num_items_in_batch=40_000)
    expected = criterion(logits[:1].detach().double(), labels[:1])
    torch.testing.assert_close(loss.double(), expected, rtol=1e-4, atol=0.0)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient.dtype == torch.float16
    assert gradient.isfinite().all()


@pytest.mark.parametrize("make", [tfkd.cross_entropy, tfkd.tf_kd_reg, tfkd.max_sup])
def test_what_cannot_divide_is_told(make):
    logits, labels = torch.randn(4, K), torch.randint(K, (4,))
    for reduction in ("sum", "none"):
        with pytest.raises(ValueError, match=f"`reduction` \"mean\".*got '{reduction}'"):
            make(reduction=reduction)(logits, labels, num_items_in_batch=4)
    for wrong in (-1, float("nan"), float("inf")):
        for given in (wrong, torch.tensor(wrong)):
            with pytest.raises(ValueError, match="`num_items_in_batch` of at least 0"):
                make()(logits, labels, num_items_in_batch=given)
    for wrong in ("4", True, torch.tensor([4]), torch.tensor(True), torch.tensor(4 + 0j)):
        with pytest.raises(TypeError, match="`num_items_in_batch` to be"):
            make()(logits, labels, num_items_in_batch=wrong)


@pytest.mark.parametrize("make", [tfkd.cross_entropy, tfkd.tf_kd_reg, tfkd.max_sup])
def test_torchs_names_of_logits_and_labels(make):
    logits, labels = torch.randn(4, K), torch.randint(K, (4,))
    criterion = make()
    expected = criterion(logits, labels)
    assert criterion(input=logits, target=labels) == expected
    assert criterion(logits, target=labels) == expected
    assert criterion(student_logits=logits, labels=labels) == expected
    with pytest.raises(TypeError, match=r"`student_logits` or `input`.*got both.*`inputs`"):
        criterion(logits, labels, input=logits)
    with pytest.raises(TypeError, match=r"`labels` or `target`.*got both"):
        criterion(logits, labels, target=labels)
    with pytest.raises(TypeError, match="`labels` to be a tensor, got NoneType"):
        criterion(logits)
