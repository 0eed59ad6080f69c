"""A matrix of classes as teacher, and the teachers that it can be."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch

import tfkd

K = 4
ROWS = torch.tensor(
    [[0.7, 0.3, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5], [0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]],
    dtype=torch.float64,
)


def logits(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(*shape, generator=generator, dtype=torch.float64)


def value_and_grad(criterion, z, labels):
    leaf = z.clone().requires_grad_()
    loss = criterion(leaf, labels)
    loss.backward()
    return loss.detach(), leaf.grad


def same(one, other, **tolerance):
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, **(tolerance or {"rtol": 0, "atol": 1e-12}))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_it_is_the_loss_with_the_logarithms_of_the_rows(temperature):
    z, labels = logits(6, K), torch.tensor([0, 1, 2, 3, 1, 0])
    options = {"alpha": 0.4, "temperature": temperature}
    criterion = tfkd.class_label_smoothing(ROWS, **options)
    leaf = z.clone().requires_grad_()
    loss = tfkd.distillation_loss(leaf, labels, ROWS.log()[labels], **options)
    loss.backward()
    same(value_and_grad(criterion, z, labels), (loss.detach(), leaf.grad))

    # Sample by sample and class by class: −inf logits of a row are classes without mass.
    expected, grad = 0.0, torch.zeros_like(z)
    for i, y in enumerate(labels.tolist()):
        p, p_tau = z[i].softmax(0), (z[i] / temperature).softmax(0)
        powers = [m ** (1 / temperature) if m > 0 else 0.0 for m in ROWS[y].tolist()]
        t = [power / sum(powers) for power in powers]
        expected -= 0.6 * math.log(p[y])
        for k in range(K):
            if t[k] > 0:
                expected += 0.4 * temperature**2 * t[k] * math.log(t[k] / p_tau[k])
            grad[i, k] = 0.6 * (p[k] - float(k == y)) + 0.4 * temperature * (p_tau[k] - t[k])
    same(
        value_and_grad(criterion, z, labels), (torch.tensor(expected / 6, dtype=z.dtype), grad / 6)
    )


@pytest.mark.parametrize("soft", [False, True])
def test_with_rows_of_a_designed_teacher_it_is_that_teacher(soft):
    z, labels = logits(6, K), logits(6, K, seed=1).softmax(1) if soft else torch.arange(6) % K
    for confidence, reg in ((1 / K, tfkd.UniformTeacher()), (0.9, tfkd.VirtualTeacher(0.9))):
        rows = torch.full((K, K), (1 - confidence) / (K - 1), dtype=torch.float64)
        rows.fill_diagonal_(confidence)
        options = {"alpha": 0.3, "temperature": 3.0}
        by_class = tfkd.class_label_smoothing(rows, **options)
        same(
            value_and_grad(by_class, z, labels),
            value_and_grad(tfkd.DistillationLoss(reg, **options), z, labels),
        )


def test_labels_that_are_probabilities_get_the_mixture_of_the_softened_rows():
    q = torch.tensor([[0.3, 0.0, 0.7, 0.0], [0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    batch = tfkd.Batch(logits(2, K), q, temperature=2.0)
    said = (tfkd.ClassTeacher(ROWS)(batch) / 2.0).softmax(1)
    root = ROWS.sqrt() / ROWS.sqrt().sum(1, keepdim=True)
    torch.testing.assert_close(said[0], 0.3 * root[0] + 0.7 * root[2])
    torch.testing.assert_close(said[1], torch.full((K,), 1 / K).double())  # no label at all
    one_hot = torch.eye(K, dtype=torch.float64)
    batches = (tfkd.Batch(logits(K, K), labels) for labels in (one_hot, torch.arange(K)))
    by_probabilities, by_index = (tfkd.ClassTeacher(ROWS)(batch) for batch in batches)
    torch.testing.assert_close(by_probabilities, by_index)


def test_dense_and_unbatched_are_the_positions_one_by_one():
    criterion = tfkd.class_label_smoothing(ROWS, alpha=0.4, reduction="none")
    z, labels = logits(2, K, 3, 2), torch.arange(12).view(2, 3, 2) % K
    flat = criterion(z.movedim(1, -1).reshape(-1, K), labels.flatten())
    torch.testing.assert_close(criterion(z, labels).flatten(), flat)
    single = torch.stack(
        [criterion(row, label) for row, label in zip(z[:, :, 0, 0], labels[:, 0, 0], strict=True)]
    )
    torch.testing.assert_close(single, criterion(z, labels)[:, 0, 0])


def test_weights_and_ignored_positions_count_as_with_every_teacher():
    z, labels = logits(5, K), torch.tensor([0, 9, 2, 3, 9])
    weight = torch.tensor([2.0, 0.5, 0.0, 1.0], dtype=torch.float64)
    options = {"alpha": 0.4, "weight": weight, "ignore_index": 9}
    criterion = tfkd.class_label_smoothing(ROWS, **options)
    loss, grad = value_and_grad(criterion, z, labels)
    kept = tfkd.distillation_loss(
        z[[0, 2, 3]], labels[[0, 2, 3]], ROWS[[0, 2, 3]].log(), alpha=0.4, weight=weight
    )
    torch.testing.assert_close(loss, kept)
    assert grad[[1, 4]].abs().max() == 0.0


def test_it_moves_and_is_copied_with_the_loss_and_is_not_saved():
    criterion = tfkd.class_label_smoothing(ROWS, alpha=0.5)
    assert not criterion.state_dict()
    z, labels = logits(6, K), torch.arange(6) % K
    for twin in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
        assert torch.equal(twin(z, labels), criterion(z, labels))
        assert repr(twin) == repr(criterion)
    assert copy.deepcopy(criterion).to("meta").teacher.matrix.device.type == "meta"
    half = criterion(z.bfloat16(), labels)
    torch.testing.assert_close(half, criterion(z.bfloat16().float(), labels))
    matrix = ROWS.clone()
    teacher = tfkd.ClassTeacher(matrix)
    matrix.fill_(0.0)
    assert torch.equal(teacher.matrix, ROWS)


@pytest.mark.parametrize(
    ("matrix", "error", "message"),
    [
        ([[1.0]], TypeError, "`matrix` to be a tensor, got list"),
        (torch.tensor([[3, 1], [0, 2]]), TypeError, "Divide counts by the sums of their rows"),
        (torch.ones(2, 3), ValueError, r"shape \(K, K\), got \(2, 3\)"),
        (torch.ones(1, 1), ValueError, "`num_classes`"),
        (torch.tensor([[0.5, 0.5], [0.2, 0.7]]), ValueError, "row 1 of the sum 0.9"),
        (torch.tensor([[0.5, 0.5], [1.2, -0.2]]), ValueError, "with -0.2 as its least"),
        (torch.tensor([[0.5, 0.5], [math.nan, 1.0]]), ValueError, "row 1 of the sum nan"),
    ],
)
def test_what_is_no_matrix_of_probabilities_is_refused(matrix, error, message):
    with pytest.raises(error, match=message):
        tfkd.ClassTeacher(matrix)


def test_other_classes_are_refused():
    for labels in (torch.tensor([0]), torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)):
        with pytest.raises(ValueError, match="of the 4 classes that the teacher knows, got 3"):
            tfkd.class_label_smoothing(ROWS, alpha=0.5)(logits(1, 3), labels)
