"""Online label smoothing and PS-KD as they train, against straight loops and published numbers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from published_batch import Y, Z
from torch import nn

import tfkd

K, N, BATCH, EPOCHS = 3, 12, 4, 3

ROWS = torch.tensor(
    [
        [0.7, 0.1, 0.1, 0.05, 0.05],
        [0.2, 0.6, 0.1, 0.05, 0.05],
        [0.05, 0.05, 0.8, 0.05, 0.05],
        [0.1, 0.2, 0.1, 0.5, 0.1],
        [0.2] * 5,
    ],
    dtype=torch.float64,
)
SAID = torch.tensor(
    [[0.6, 0.2, 0.1, 0.05, 0.05], [0.1, 0.1, 0.5, 0.2, 0.1], [0.1, 0.3, 0.1, 0.4, 0.1], [0.2] * 5],
    dtype=torch.float64,
)


def samples():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(N, 4, generator=generator, dtype=torch.float64)
    return inputs, torch.arange(N) % K


def order(epoch):
    return torch.randperm(N, generator=torch.Generator().manual_seed(epoch)).split(BATCH)


def student_and_optimizer():
    torch.manual_seed(1)
    student = nn.Linear(4, K).double()
    return student, torch.optim.SGD(student.parameters(), lr=0.5)


def train(criterion, student, optimizer, steps):
    """Make steps, which are numbered from 0 over all epochs."""
    inputs, labels = samples()
    for step in steps:
        epoch, batch = divmod(step, N // BATCH)
        part = order(epoch)[batch]
        loss = criterion(student(inputs[part]), labels[part], inputs[part], indices=part)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if batch == N // BATCH - 1:
            criterion.epoch_ended()


STEPS = range(EPOCHS * N // BATCH)


def value_and_norm(criterion, z, labels, **options):
    leaf = z.clone().requires_grad_()
    loss = criterion(leaf, labels, **options)
    loss.backward()
    return loss.item(), leaf.grad.norm().item()


def entropy(p):
    return -(p * p.log()).sum(-1)


def online(**options):
    return tfkd.online_label_smoothing(num_classes=K, samples_per_epoch="told", **options)


def with_soft_labels(criterion, rows):
    criterion.teacher.targets.copy_((rows * 2**32).round())
    return criterion


# Numbers of the official formulas, up to the entropy of the teacher.


def test_online_label_smoothing_gives_the_official_value_and_gradient():
    criterion = tfkd.online_label_smoothing(num_classes=5, samples_per_epoch="told")
    value, norm = value_and_norm(with_soft_labels(criterion, ROWS), Z, Y)
    constant = 0.5 * entropy(ROWS[Y]).mean().item()
    assert value + constant == pytest.approx(1.39763709, abs=1e-7)
    assert norm == pytest.approx(0.31926971, abs=1e-7)
    released = tfkd.released_online_label_smoothing(num_classes=5, samples_per_epoch="told")
    twice, norm = value_and_norm(with_soft_labels(released, ROWS), Z, Y)
    assert twice == pytest.approx(2 * value, abs=1e-9)
    assert norm == pytest.approx(2 * 0.31926971, abs=2e-7)


def test_a_frozen_class_teacher_is_online_label_smoothing():
    criterion = tfkd.class_label_smoothing(ROWS, alpha=0.5)
    value, norm = value_and_norm(criterion, Z, Y)
    assert value + 0.5 * entropy(ROWS[Y]).mean().item() == pytest.approx(1.39763709, abs=1e-7)
    assert norm == pytest.approx(0.31926971, abs=1e-7)


def test_ps_kd_gives_the_official_value_and_gradient():
    criterion = tfkd.ps_kd(num_classes=5, num_samples=4, epochs=6, samples_per_epoch="told")
    indices = torch.tensor([3, 1, 0, 2])
    cross_entropy = value_and_norm(criterion, SAID.log(), Y, indices=indices)[0]
    assert cross_entropy == pytest.approx(F.nll_loss(SAID.log(), Y).item(), abs=1e-12)
    assert criterion.alpha == 0.8 / 6
    value, norm = value_and_norm(criterion, Z, Y, indices=indices)
    constant = 0.8 / 6 * entropy(SAID).mean().item()
    assert value + constant == pytest.approx(1.29605376, abs=1e-7)
    assert norm == pytest.approx(0.36157128, abs=1e-7)


# Whole trainings.


def test_online_label_smoothing_trains_as_a_straight_loop():
    criterion, (student, optimizer) = online(), student_and_optimizer()
    train(criterion, student, optimizer, STEPS)

    inputs, labels = samples()
    hand, optimizer = student_and_optimizer()
    soft = torch.full((K, K), 1 / K, dtype=torch.float64)
    for epoch in range(EPOCHS):
        sums, counts = torch.zeros(K, K, dtype=torch.float64), [0] * K
        for part in order(epoch):
            log_p = hand(inputs[part]).log_softmax(1)
            loss = 0.0
            for row, label in zip(log_p, labels[part].tolist(), strict=True):
                loss = loss - 0.5 * row[label] - 0.5 * (soft[label] * row).sum()
                if int(row.argmax()) == label:
                    sums[label] += row.detach().exp()
                    counts[label] += 1
            optimizer.zero_grad()
            (loss / len(part)).backward()
            optimizer.step()
        for k in range(K):
            soft[k] = sums[k] / counts[k] if counts[k] else 1 / K
    assert (soft - 1 / K).abs().max() > 0.1
    torch.testing.assert_close(criterion.teacher.matrix, soft, rtol=0, atol=1e-8)
    torch.testing.assert_close(student.weight, hand.weight, rtol=0, atol=1e-8)


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_ps_kd_trains_as_a_straight_loop(place, tmp_path):
    directory = tmp_path / "answers" if place == "disk" else None
    criterion = tfkd.ps_kd(num_classes=K, num_samples=N, epochs=EPOCHS, directory=directory)
    student, optimizer = student_and_optimizer()
    train(criterion, student, optimizer, STEPS)

    inputs, labels = samples()
    hand, optimizer = student_and_optimizer()
    said = F.one_hot(labels, K).double()
    for epoch in range(EPOCHS):
        alpha = 0.8 * (epoch + 1) / EPOCHS
        for part in order(epoch):
            log_p = hand(inputs[part]).log_softmax(1)
            target = (1 - alpha) * F.one_hot(labels[part], K) + alpha * said[part]
            optimizer.zero_grad()
            (-(target * log_p).sum(1).mean()).backward()
            optimizer.step()
            for i, row in zip(part.tolist(), log_p.detach().exp(), strict=True):
                said[i] = row
    remembered = criterion.teacher(tfkd.Batch(torch.zeros(N, K), labels, indices=torch.arange(N)))
    torch.testing.assert_close(remembered.exp().double(), said, rtol=0, atol=1e-6)
    torch.testing.assert_close(student.weight, hand.weight, rtol=0, atol=1e-6)


def test_alpha_of_ps_kd_grows_evenly_to_that_of_the_last_epoch():
    criterion, seen = tfkd.ps_kd(num_classes=K, num_samples=1, epochs=4), []
    for _ in range(5):
        seen.append(criterion.alpha)
        criterion.epoch_ended()
    assert seen == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8], abs=1e-15)
    with pytest.raises(ValueError, match=r"Expected `alpha` in \[0, 1\], got 1.5"):
        tfkd.ps_kd(num_classes=K, num_samples=1, epochs=4, alpha=1.5)


# Interrupted and resumed.

REMEMBERING = {
    "online": lambda folder: online(),
    "released": lambda folder: tfkd.released_online_label_smoothing(
        num_classes=K, samples_per_epoch="told"
    ),
    **{
        form: lambda folder, form=form: tfkd.ps_kd(
            num_classes=K, num_samples=N, epochs=EPOCHS, form=form, samples_per_epoch="told"
        )
        for form in ("float32", "float16", "top-1")
    },
    **{
        f"{form} on disk": lambda folder, form=form: tfkd.ps_kd(
            num_classes=K, num_samples=N, epochs=EPOCHS, form=form, directory=folder
        )
        for form in ("float32", "top-1")
    },
}


def answers(criterion):
    """What the teacher says of every sample."""
    batch = tfkd.Batch(torch.zeros(N, K), samples()[1], indices=torch.arange(N))
    return criterion.teacher(batch)


@pytest.mark.parametrize("name", REMEMBERING)
def test_a_killed_training_ends_bit_by_bit_as_one_that_was_not(name, tmp_path, one_thread):
    build, (whole, optimizer) = REMEMBERING[name], student_and_optimizer()
    criterion = build(tmp_path / "whole")
    train(criterion, whole, optimizer, STEPS)
    expected = answers(criterion)
    for saved in STEPS:
        killed = min(saved + 2, len(STEPS))  # behind the save, and across an epoch's end
        folder = tmp_path / f"saved-{saved}"
        criterion, (student, optimizer) = build(folder), student_and_optimizer()
        train(criterion, student, optimizer, range(saved))
        file = tmp_path / "state.pt"
        torch.save([x.state_dict() for x in (criterion, student, optimizer)], file)
        train(criterion, student, optimizer, range(saved, killed))
        del criterion
        criterion, (student, optimizer) = build(folder), student_and_optimizer()
        states = torch.load(file, weights_only=True)
        for part, state in zip((criterion, student, optimizer), states, strict=True):
            part.load_state_dict(state)
        train(criterion, student, optimizer, range(saved, len(STEPS)))
        assert torch.equal(student.weight, whole.weight)
        assert torch.equal(answers(criterion), expected)


@pytest.mark.parametrize("name", ["online", "float16", "top-1"])
def test_compiled_in_one_graph_it_remembers_the_same(name, one_thread):
    results = []
    for compiled in (False, True):
        criterion, (student, optimizer) = REMEMBERING[name](None), student_and_optimizer()

        def loss_of(inputs, labels, indices, criterion=criterion, student=student):
            return criterion(student(inputs), labels, inputs, indices=indices)

        if compiled:
            torch.compiler.reset()
            loss_of = torch.compile(loss_of, fullgraph=True, backend="eager")
        inputs, labels = samples()
        for epoch in range(EPOCHS):
            for part in order(epoch):
                optimizer.zero_grad()
                loss_of(inputs[part], labels[part], part).backward()
                optimizer.step()
            criterion.epoch_ended()
        results.append(answers(criterion))
    assert torch.equal(*results)
    assert results[0].softmax(1).std() > 0.1
