"""What the student said of the last batch: which rows, how loudly, and remembered by everybody."""

import copy
import pickle

import pytest
import split_off
import torch
from torch.nn.functional import cross_entropy

import tfkd
from tfkd.data import OverlappingSampler

K = 5


def batches(*sizes, dtype=torch.float32):
    """Batches of [last; new] rows: logits, labels and indices."""
    torch.manual_seed(0)
    found, last, at = [], [], 0
    for size in sizes:
        new = list(range(at, at + size))
        indices = torch.tensor(last + new)
        logits = torch.randn(len(indices), K, dtype=dtype, requires_grad=True)
        found.append((logits, indices % K, indices))
        last, at = new, at + size
    return found


def test_the_first_batch_is_plain_cross_entropy():
    ((logits, labels, _),) = batches(6, dtype=torch.float64)
    loss = tfkd.dlb(added=0.7)(logits, labels)
    (gradient,) = torch.autograd.grad(loss, logits)
    (expected,) = torch.autograd.grad(cross_entropy(logits, labels), logits)
    assert loss.item() == pytest.approx(cross_entropy(logits, labels).item(), rel=1e-14)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=0.0)


def test_it_says_what_was_said_and_nothing_of_new_rows():
    (first, labels, _), (both, more, _) = batches(3, 3)
    criterion = tfkd.dlb()
    criterion(first, labels)
    teacher = criterion.teacher
    assert teacher.rows == 3
    answer = teacher(tfkd.Batch(both, more))
    assert torch.equal(answer.logits[:3], first)
    assert answer.share.tolist() == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert answer.share.mean() == teacher.usual_share
    assert not answer.logits.requires_grad


def test_what_is_remembered_is_of_the_new_rows():
    criterion = tfkd.dlb()
    for (logits, labels, indices), size in zip(batches(4, 3, 5), (4, 3, 5), strict=True):
        criterion(logits, labels, indices=indices)
        state = criterion.state_dict()
        assert torch.equal(state["teacher.logits"], logits[-size:].detach())
        assert torch.equal(state["teacher.labels"], labels[-size:])
        assert torch.equal(state["teacher.indices"], indices[-size:])
        assert criterion.teacher.rows == size


@pytest.mark.parametrize("ignore_index", [-100, 4])
def test_a_row_that_is_ignored_changes_nothing_that_counts(ignore_index):
    (first, labels, _), (both, more, _) = batches(4, 4, dtype=torch.float64)
    hidden, shown = labels.clone(), more.clone()
    hidden[1] = shown[1] = ignore_index
    other = first.detach().clone()
    other[1] = 100.0
    losses, states = [], []
    for logits in (first, other.requires_grad_()):
        criterion = tfkd.dlb(ignore_index=ignore_index)
        criterion(logits, hidden)
        states.append(criterion.state_dict()["teacher.logits"])
        losses.append(criterion(both, shown))
    assert torch.equal(*states)
    assert torch.equal(*losses)
    # The same without the row at all.
    kept = [0, 2, 3]
    criterion = tfkd.dlb(ignore_index=ignore_index)
    criterion(first[kept], labels[kept])
    rows = [*kept, 4, 5, 6, 7]
    torch.testing.assert_close(losses[0], criterion(both[rows], more[rows]))


def test_nothing_is_said_or_remembered_where_nothing_is_trained():
    (first, labels, _), (both, more, _) = batches(3, 3)
    criterion = tfkd.dlb()
    criterion(first, labels)
    before = copy.deepcopy(criterion.state_dict())
    plain = cross_entropy(both, more)
    criterion.eval()
    torch.testing.assert_close(criterion(both, more), plain)
    criterion.train()
    torch.testing.assert_close(
        criterion(both.detach()[:2], more[:2]), cross_entropy(both[:2], more[:2])
    )
    with torch.no_grad():
        torch.testing.assert_close(criterion(both, more), plain)
    for name, value in criterion.state_dict().items():
        assert torch.equal(before[name], value), name


@pytest.mark.parametrize("soft", [False, True])
def test_rows_that_are_not_the_last_batch_are_refused(soft):
    (first, labels, indices), (both, more, others) = batches(3, 3)
    if soft:
        labels, more = (torch.eye(K)[own] for own in (labels, more))
    criterion = tfkd.dlb()
    criterion(first, labels, indices=indices)
    with pytest.raises(ValueError, match=r"3 rows of the last batch and new ones.*got 3 in all"):
        criterion(first, labels, indices=indices)
    with pytest.raises(ValueError, match=r"got other `labels`.*OverlappingSampler"):
        criterion(both, more.flip(0))
    moved = torch.cat([others[:3] + K, others[3:]])
    with pytest.raises(ValueError, match="got other `indices`"):
        criterion(both, more, indices=moved)
    criterion(both, more)  # they need not be given
    with pytest.raises(ValueError, match=r"`student_logits` of shape \(N, K\).*\(6, 5, 2\)"):
        criterion(torch.randn(6, K, 2, requires_grad=True), torch.zeros(6, 2, dtype=torch.int64))


@pytest.mark.parametrize("how", ["state_dict", "deepcopy", "pickle"])
def test_it_goes_on_from_what_was_kept(how):
    first, second, third = batches(4, 3, 3)
    criterion = tfkd.dlb()
    for logits, labels, indices in (first, second):
        criterion(logits, labels, indices=indices)
    if how == "state_dict":
        other = tfkd.dlb()
        other(batches(2)[0][0], batches(2)[0][1])  # whatever it remembers
        other.load_state_dict(criterion.state_dict())
    else:
        other = copy.deepcopy(criterion)
        if how == "pickle":
            other = pickle.loads(pickle.dumps(criterion))
    logits, labels, indices = third
    assert torch.equal(
        criterion(logits, labels, indices=indices), other(logits, labels, indices=indices)
    )
    for name, value in criterion.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_half_precision_is_remembered_as_it_comes():
    criterion = tfkd.dlb()
    for logits, labels, _ in batches(4, 4, dtype=torch.bfloat16):
        loss = criterion(logits, labels)
        assert loss.dtype == torch.float32
        loss.backward()
        assert logits.grad.isfinite().all()
    assert criterion.teacher.logits.dtype == torch.bfloat16
    kept = tfkd.dlb()
    kept.load_state_dict(criterion.state_dict())
    assert torch.equal(kept.teacher.logits, criterion.teacher.logits)
    assert criterion.float().teacher.logits.dtype == torch.float32


def test_it_compiles_whole():
    eager, compiled = tfkd.dlb(), tfkd.dlb()
    called = torch.compile(compiled, backend="eager", fullgraph=True, dynamic=True)
    for logits, labels, indices in batches(4, 4, 4):
        expected = eager(logits, labels, indices=indices)
        torch.testing.assert_close(called(logits, labels, indices=indices), expected)
    assert torch.equal(compiled.teacher.logits, eager.teacher.logits)


PROGRAM = """
import torch
import tfkd
from tfkd.data import OverlappingSampler

torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
criterion, sampler = tfkd.dlb(), OverlappingSampler(11, 4, rank=rank, world_size=2)
for epoch in range(2):
    for number, rows in enumerate(sampler):
        torch.manual_seed(epoch)
        table = torch.randn(11, 5)
        indices = torch.tensor(rows)
        logits = (table[indices] + number).requires_grad_()
        last = criterion.teacher.rows
        assert last == 0 or last in (1, 2)
        criterion(logits, indices % 5, indices=indices).backward()
torch.distributed.barrier()
torch.save(criterion.state_dict(), f"{folder}/{rank}.pt")
"""


def test_two_processes_remember_what_one_does(tmp_path):
    program = split_off.written(tmp_path / "program.py", PROGRAM)
    for process in split_off.pair(program, folder=str(tmp_path)):
        process.finish()
    criterion = tfkd.dlb()
    sampler = OverlappingSampler(11, 4)
    for epoch in range(2):
        for number, rows in enumerate(sampler):
            torch.manual_seed(epoch)
            indices = torch.tensor(rows)
            logits = (torch.randn(11, K)[indices] + number).requires_grad_()
            criterion(logits, indices % K, indices=indices)
    for rank in range(2):
        kept = torch.load(tmp_path / f"{rank}.pt")
        for name, value in criterion.state_dict().items():
            assert torch.equal(kept[name], value), name


def test_a_state_of_other_classes_or_of_no_batch_is_refused():
    ((logits, labels, _),) = batches(3)
    criterion, other = tfkd.dlb(), tfkd.dlb()
    criterion(logits, labels)
    state = criterion.state_dict()
    other(logits[:, :4], labels)
    with pytest.raises(RuntimeError, match="Expected logits of 4 classes, got 5"):
        other.load_state_dict(state)
    assert other.teacher.logits.shape == (3, 4)
    with pytest.raises(RuntimeError, match=r"Expected labels \(N,\) or \(N, K\) of logits"):
        tfkd.dlb().load_state_dict({**state, "teacher.labels": torch.zeros(7)})
    with pytest.raises(RuntimeError, match=r"Expected logits \(N, K\), labels and indices of N"):
        tfkd.dlb().load_state_dict({**state, "teacher.indices": torch.zeros(7)})
    unused = tfkd.dlb()
    unused.load_state_dict(state)
    with pytest.raises(ValueError, match="of the 5 classes of the last batch, got 4"):
        unused(torch.zeros(6, 4, requires_grad=True), labels.repeat(2))


@pytest.mark.parametrize("count", [0, 2, 4])
def test_another_number_of_indices_than_of_samples_is_refused(count):
    ((logits, labels, _),) = batches(3)
    with pytest.raises(ValueError, match=r"Expected `indices` of shape \(3,\), one for each"):
        tfkd.dlb()(logits, labels, indices=torch.arange(count))
