"""What the online teacher learns of a batch, sample by sample, and what changes nothing."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch

import tfkd

K = 4


def logits(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(*shape, generator=generator)


def criterion_of(**options):
    return tfkd.online_label_smoothing(num_classes=K, samples_per_epoch="told", **options)


def observed(z, labels, **options):
    """The teacher after one batch of training."""
    criterion = criterion_of(**options)
    criterion(z.clone().requires_grad_(), labels)
    return criterion.teacher


def state(teacher):
    return [buffer.clone() for buffer in teacher.buffers()]


def same_state(one, other):
    return all(torch.equal(a, b) for a, b in zip(state(one), state(other), strict=True))


def by_hand(z, labels):
    """Means of the probabilities of what was right, class by class."""
    rows = torch.full((K, K), 1 / K, dtype=torch.float64)
    for k in range(K):
        right = [
            z_i.double().softmax(0)
            for z_i, y in zip(z, labels.tolist(), strict=True)
            if y == k and int(z_i.argmax()) == k
        ]
        if right:
            rows[k] = sum(right) / len(right)
    return rows


def test_soft_labels_are_means_of_what_was_right_and_uniform_where_nothing_was():
    z, labels = logits(40, K), torch.arange(40) % K
    z[labels == 2, 2] = -9.0
    teacher = observed(z, labels)
    assert torch.equal(teacher.matrix, torch.full((K, K), 0.25).double())  # until the epoch ends
    teacher.epoch_ended()
    torch.testing.assert_close(teacher.matrix, by_hand(z, labels), rtol=0, atol=1e-7)
    assert torch.equal(teacher.matrix[2], torch.full((K,), 0.25).double())
    assert not teacher.sums.any() and not teacher.counts.any()


def test_the_gradient_is_that_of_the_loss_with_the_logarithms_of_the_soft_labels():
    z, labels = logits(40, K), torch.arange(40) % K
    criterion = criterion_of(alpha=0.3)
    criterion(z.requires_grad_(), labels)
    criterion.epoch_ended()
    grads = []
    for loss_of in (
        criterion,
        lambda leaf, y: tfkd.distillation_loss(leaf, y, by_hand(z, labels).log()[y], alpha=0.3),
    ):
        leaf = logits(8, K, seed=1).double().requires_grad_()
        loss_of(leaf, labels[:8]).backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(*grads, rtol=0, atol=1e-7)


def test_order_and_parts_of_the_samples_change_no_bit(chance):
    z, labels = logits(60, K), torch.arange(60) % K
    whole = observed(z, labels)
    criterion, shuffled = criterion_of(), chance.sample(range(60), 60)
    for start in range(0, 60, 7):
        part = shuffled[start : start + 7]
        criterion(z[part].requires_grad_(), labels[part])
    assert same_state(whole, criterion.teacher)
    assert int(whole.counts.sum()) > 10


def test_ignored_positions_change_nothing_whatever_their_index():
    z, labels = logits(40, K), torch.arange(40) % K
    for ignore_index in (-100, 0, 3, 77):
        ignored = torch.where(torch.arange(40) < 25, ignore_index, labels)
        kept = ignored != ignore_index
        teacher = observed(z, ignored, ignore_index=ignore_index)
        assert same_state(teacher, observed(z[kept], labels[kept]))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_logits_that_are_no_numbers_change_nothing(bad):
    z, labels = logits(40, K), torch.arange(40) % K
    spoiled = z.clone()
    spoiled[5] = bad
    spoiled[6, labels[6]] = bad
    kept = [i for i in range(40) if i not in (5, 6)]
    assert same_state(observed(spoiled, labels), observed(z[kept], labels[kept]))


def test_classes_that_are_masked_get_no_mass():
    z, labels = logits(40, K), torch.arange(40) % K
    z[:, 1] = -math.inf
    teacher = observed(z, labels)
    teacher.epoch_ended()
    assert teacher.matrix[[0, 2, 3], 1].tolist() == [0.0] * 3
    criterion = criterion_of()
    criterion.load_state_dict({**criterion.state_dict(), "teacher.targets": teacher.targets})
    leaf = z[[0, 2, 3]].clone().requires_grad_()
    criterion(leaf, labels[[0, 2, 3]]).backward()
    assert leaf.grad.isfinite().all()


def test_a_mixture_counts_for_the_class_that_it_has_most_of():
    z, labels = logits(40, K), torch.arange(40) % K
    one_hot = torch.nn.functional.one_hot(labels, K).float()
    assert same_state(observed(z, one_hot), observed(z, labels))
    mixed = 0.6 * one_hot + 0.4 * one_hot.roll(1, 1)
    assert same_state(observed(z, mixed), observed(z, labels))
    assert not observed(z, 0.0 * one_hot).counts.any()  # no label at all


def test_a_mixture_is_taught_the_mixture_of_the_soft_labels():
    z, labels = logits(40, K), torch.arange(40) % K
    teacher = observed(z, labels)
    teacher.epoch_ended()
    q = logits(6, K, seed=1).softmax(1)
    said = teacher(tfkd.Batch(z[:6], q)).softmax(1)
    torch.testing.assert_close(said, q @ by_hand(z, labels).float())


def test_dense_and_unbatched_positions_count_one_by_one():
    z, labels = logits(2, K, 3, 4), torch.arange(24).view(2, 3, 4) % K
    flat = observed(z.movedim(1, -1).reshape(-1, K), labels.flatten())
    assert same_state(observed(z, labels), flat)
    criterion = criterion_of()
    for row, label in zip(z.movedim(1, -1).reshape(-1, K), labels.flatten(), strict=True):
        criterion(row.clone().requires_grad_(), label)
    assert same_state(criterion.teacher, flat)
    assert criterion.teacher(tfkd.Batch(z, labels)).shape == z.shape
    assert criterion.teacher(tfkd.Batch(z[0, :, 0, 0], labels[0, 0, 0])).shape == (K,)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_remembered_as_float32(dtype):
    z, labels = logits(40, K).to(dtype), torch.arange(40) % K
    assert same_state(observed(z, labels), observed(z.float(), labels))


def test_what_is_not_trained_on_is_not_remembered():
    z, labels = logits(40, K), torch.arange(40) % K
    criterion = criterion_of()
    before = state(criterion.teacher)
    criterion(z, labels)
    criterion.eval()(z.clone().requires_grad_(), labels)
    assert all(map(torch.equal, state(criterion.teacher), before))
    criterion.train().alpha = 0.0  # it is not asked, and yet it looks
    criterion(z.clone().requires_grad_(), labels)
    assert criterion.teacher.counts.any()


def test_a_row_stays_once_one_class_has_so_much_of_it_until_nothing_is_right():
    teacher = tfkd.released_online_label_smoothing(num_classes=K, samples_per_epoch=1).teacher
    sure, less = (gap * torch.eye(K) for gap in (4.0, 2.0))  # 0.948 and 0.711 of the true class
    everything = torch.arange(K)

    def epoch(z, labels):
        teacher.observe(tfkd.Batch(z, labels))
        teacher.epoch_ended()
        return teacher.matrix.diagonal().tolist()

    at = {gap: math.exp(gap) / (math.exp(gap) + K - 1) for gap in (2.0, 4.0)}
    assert epoch(less, everything) == pytest.approx([at[2.0]] * K)
    assert epoch(sure[:2], everything[:2]) == pytest.approx([at[4.0]] * 2 + [0.25] * 2)
    assert epoch(less, everything) == pytest.approx([at[4.0]] * 2 + [at[2.0]] * 2)
    assert epoch(less[1:], everything[1:]) == pytest.approx([0.25, at[4.0], at[2.0], at[2.0]])
    assert epoch(less, everything) == pytest.approx([at[2.0], at[4.0], at[2.0], at[2.0]])


def test_it_survives_copies_state_and_moves():
    z, labels = logits(40, K), torch.arange(40) % K
    teacher = observed(z, labels)
    twins = [copy.deepcopy(teacher), pickle.loads(pickle.dumps(teacher)), tfkd.OnlineTeacher(K)]
    twins[2].load_state_dict(teacher.state_dict())
    for twin in twins:
        assert same_state(twin, teacher)
        assert repr(twin) == repr(teacher)
        assert same_state(twin.to(torch.bfloat16), teacher)  # whole numbers stay what they are
    assert teacher.to("meta").sums.device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_the_gpu_it_learns_the_same_and_never_waits(never_waiting):
    criterion, z, labels = criterion_of().cuda(), logits(400, K), torch.arange(400) % K
    leaf, there = z.cuda().requires_grad_(), labels.cuda()
    with never_waiting():
        loss = criterion(leaf, there)
    loss.backward()
    teacher = observed(z, labels)
    assert torch.equal(criterion.teacher.counts.cpu(), teacher.counts)
    for both in (criterion.teacher, teacher):
        both.epoch_ended()
    difference = criterion.teacher.matrix.cpu() - teacher.matrix
    assert difference.abs().max() < 1e-6


def test_without_epochs_it_is_refused_and_never_silently_uniform():
    with pytest.raises(
        ValueError, match="Expected `samples_per_epoch`, since OnlineTeacher counts"
    ):
        tfkd.DistillationLoss(tfkd.OnlineTeacher(K), alpha=0.5)
    criterion = tfkd.online_label_smoothing(num_classes=K, samples_per_epoch=40)
    z, labels = logits(40, K), torch.arange(40) % K
    criterion(z.clone().requires_grad_(), labels)
    criterion(z.clone().requires_grad_(), labels)  # the next epoch: the last one is taught
    torch.testing.assert_close(criterion.teacher.matrix, by_hand(z, labels), rtol=0, atol=1e-7)


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="Expected `num_classes` of at least 2, got 1"):
        tfkd.OnlineTeacher(1)
    with pytest.raises(ValueError, match=r"Expected `freeze_at` in \[0, 1\], got 88"):
        tfkd.OnlineTeacher(3, freeze_at=88)
    with pytest.raises(ValueError, match="of the 4 classes that the teacher knows, got 3"):
        criterion_of()(logits(2, 3), torch.tensor([0, 1]))
