"""The teacher that falls silent once the student has passed it."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from split_off import Program, written
from torch import nn

import tfkd

K = 3
ONE = 2**24


def data(samples=40):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(samples, 4, generator=generator)
    return inputs, (inputs @ torch.randn(4, K, generator=generator)).argmax(1)


def networks():
    generator = torch.Generator().manual_seed(5)
    student, weak = nn.Linear(4, K), nn.Linear(4, K)
    with torch.no_grad():
        for network in (student, weak):
            network.weight.copy_(0.3 * torch.randn(K, 4, generator=generator))
            network.bias.zero_()
        inputs, labels = data()
        for k in range(K):  # better than chance, and not good
            weak.weight[k] = inputs[:16][labels[:16] == k].mean(0)
    return student, weak


def batches(epoch, size=8):
    inputs, labels = data()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(epoch))
    return [(inputs[part], labels[part]) for part in order.split(size)]


def test_a_training_is_that_of_a_loop_by_hand():
    student, weak = networks()
    twin = copy.deepcopy(student)
    criterion = tfkd.weak_to_strong_kd(weak, alpha=0.7, temperature=2.0, samples_per_epoch="told")
    optimizer = torch.optim.SGD(student.parameters(), lr=0.5)
    by_hand = torch.optim.SGD(twin.parameters(), lr=0.5)
    silent_after, silent = None, False
    for epoch in range(6):
        right = [0, 0]
        for inputs, labels in batches(epoch):
            optimizer.zero_grad()
            criterion(student(inputs), labels, inputs).backward()
            optimizer.step()

            by_hand.zero_grad()
            logits, said = twin(inputs), weak(inputs).detach()
            loss = nn.functional.cross_entropy(logits, labels)
            if not silent:
                kl = nn.functional.kl_div(
                    (logits / 2).log_softmax(1), (said / 2).softmax(1), reduction="batchmean"
                )
                loss = 0.3 * loss + 0.7 * 4.0 * kl
                right[0] += int((logits.argmax(1) == labels).sum())
                right[1] += int((said.argmax(1) == labels).sum())
            loss.backward()
            by_hand.step()
        if not silent:
            assert criterion.teacher.counts.tolist() == [right[0] * ONE, right[1] * ONE, 40]
        criterion.epoch_ended()
        if not silent and right[0] >= right[1]:
            silent, silent_after = True, epoch
        assert criterion.teacher.is_silent == silent
        assert not criterion.teacher.counts.any()
        torch.testing.assert_close(student.weight, twin.weight, rtol=1e-4, atol=1e-5)
    assert silent_after in (1, 2, 3)  # so both ways were gone


def test_a_silent_teacher_is_not_asked_and_never_speaks_again():
    class Loud(nn.Module):
        asked = 0

        def forward(self, inputs):
            Loud.asked += 1
            return inputs

    criterion = tfkd.weak_to_strong_kd(Loud(), alpha=0.5, samples_per_epoch=4)
    right, wrong = torch.eye(K)[:2], 1.0 - torch.eye(K)[:2]
    labels = torch.tensor([0, 1])
    for student, teacher in [(wrong, right), (wrong, right), (right, wrong), (wrong, right)]:
        criterion(student.clone().requires_grad_(), labels, teacher)
    assert (Loud.asked, criterion.teacher.is_silent) == (4, False)
    criterion.samples_per_epoch = "told"
    criterion.epoch_ended()  # 2 of 4 are right of either: at least as accurate
    assert criterion.teacher.is_silent
    for _ in range(5):
        z = wrong.clone().requires_grad_()
        assert criterion(z, labels, right).item() == nn.functional.cross_entropy(z, labels).item()
    assert Loud.asked == 4


def counts_of(criterion, *batch, **options):
    before = criterion.teacher.counts.clone()
    criterion(*batch, **options)
    return (criterion.teacher.counts - before).tolist()


def test_only_training_is_counted():
    criterion = tfkd.weak_to_strong_kd(nn.Identity(), alpha=0.5, samples_per_epoch="told")
    z, labels = torch.eye(K), torch.tensor([0, 1, 1])
    assert counts_of(criterion, z, labels, z) == [0, 0, 0]
    assert counts_of(criterion.eval(), z.clone().requires_grad_(), labels, z) == [0, 0, 0]
    criterion.train()
    assert counts_of(criterion, z.clone().requires_grad_(), labels, z) == [2 * ONE, 2 * ONE, 3]
    criterion.alpha = 0.0  # it is not asked, so nothing is compared
    assert counts_of(criterion, z.clone().requires_grad_(), labels, z) == [0, 0, 0]
    criterion.teacher.counts.zero_()
    criterion.epoch_ended()
    assert not criterion.teacher.is_silent


@pytest.mark.parametrize(
    ("ignore_index", "dtype"), [(-100, torch.int64), (1, torch.int64), (1, torch.uint8)]
)
def test_ignored_positions_are_not_counted(ignore_index, dtype):
    criterion = tfkd.weak_to_strong_kd(
        nn.Identity(), alpha=0.5, samples_per_epoch="told", ignore_index=ignore_index
    )
    z = torch.eye(K).unsqueeze(2).expand(K, K, 2).clone().requires_grad_()
    labels = torch.tensor([[0, ignore_index], [ignore_index, ignore_index], [2, 0]]).to(dtype)
    assert counts_of(criterion, z, labels, z.detach()) == [2 * ONE, 2 * ONE, 3]


def test_a_mixed_label_is_right_in_so_far_as_it_is():
    criterion = tfkd.weak_to_strong_kd(nn.Identity(), alpha=0.5, samples_per_epoch="told")
    q = torch.tensor([[0.75, 0.25, 0.0], [0.0, 0.5, 0.5]])
    student, teacher = torch.tensor([[2.0, 0, 0], [2.0, 0, 0]]), torch.tensor([[0, 2.0, 0]] * 2)
    counted = counts_of(criterion, student.requires_grad_(), q, teacher)
    assert counted == [round(0.75 * ONE), round(0.75 * ONE), 2]


def test_a_gap_is_right_where_it_leans_to_the_label():
    teacher = tfkd.UntilPassedTeacher(tfkd.VirtualTeacher(0.9))
    criterion = tfkd.DistillationLoss(teacher, alpha=0.5, samples_per_epoch="told")
    z = torch.eye(K).requires_grad_()
    assert counts_of(criterion, z, torch.tensor([0, 0, 1])) == [ONE, 3 * ONE, 3]
    assert teacher.gap(K) == tfkd.VirtualTeacher(0.9).gap(K)


@pytest.mark.parametrize("passed", [False, True])
def test_in_the_middle_of_an_epoch_the_state_is_saved_and_goes_on(passed):
    def new():
        return tfkd.weak_to_strong_kd(nn.Identity(), alpha=0.5, samples_per_epoch="told")

    criterion, z = new(), torch.eye(K).requires_grad_()
    if passed:
        criterion(z, torch.tensor([0, 1, 1]), torch.eye(K))
        criterion.epoch_ended()
    criterion(z, torch.tensor([0, 0, 1]), torch.eye(K).flip(0))
    resumed = new()
    resumed.load_state_dict(criterion.state_dict())
    for twin in (resumed, copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
        assert twin.teacher.is_silent == passed
        twin(z, torch.tensor([2, 2, 1]), torch.eye(K))
        other = copy.deepcopy(criterion)
        other(z, torch.tensor([2, 2, 1]), torch.eye(K))
        assert torch.equal(twin.teacher.counts, other.teacher.counts)
        assert bool(other.teacher.counts.any()) != passed
    back = criterion
    back.load_state_dict(new().state_dict())
    assert not back.teacher.is_silent


def test_it_is_compiled_before_and_after():
    weak = nn.Identity()
    criterion = tfkd.weak_to_strong_kd(weak, alpha=0.5, samples_per_epoch="told")
    plain = copy.deepcopy(criterion)
    graphs = []

    def counting(graph, _):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(criterion, fullgraph=True, backend=counting)
    z, labels, said = torch.eye(K).requires_grad_(), torch.tensor([0, 1, 1]), torch.eye(K)
    for _ in range(3):
        for _ in range(2):
            assert compiled(z, labels, said).item() == pytest.approx(plain(z, labels, said).item())
            assert torch.equal(criterion.teacher.counts, plain.teacher.counts)
        criterion.epoch_ended()
        plain.epoch_ended()
    assert criterion.teacher.is_silent
    assert len(graphs) == 2


PROGRAM = """
import copy
import os
import torch
import torch.distributed as dist
import tfkd

torch.set_num_threads(1)
dist.init_process_group("gloo", init_method="file://" + meet, rank=rank, world_size=2)
state = torch.load(meet + ".data", weights_only=True)
criterion = tfkd.weak_to_strong_kd(torch.nn.Identity(), alpha=0.5, samples_per_epoch=20)
seen = []
for step in range(7):
    # Of batches of 8, 8 and 4 the first process has 5, 5 and 1.
    start = (0, 8, 16)[step % 3]
    end, own = (8, 16, 20)[step % 3], (5, 5, 1)[step % 3]
    part = slice(start, start + own) if rank == 0 else slice(start + own, end)
    z = state["student"][step // 3][part].requires_grad_()
    criterion(z, state["labels"][part], state["teacher"][part])
    seen.append(copy.deepcopy(criterion.state_dict()))
torch.save(seen, meet + f".{rank}")
dist.barrier()
os._exit(0)  # gloo's threads may abort a process that ends by itself
"""


def test_two_processes_count_as_one(tmp_path):
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(K, (20,), generator=generator)
    state = {
        "labels": labels,
        "teacher": torch.randn(20, K, generator=generator) + torch.eye(K)[labels],
        "student": torch.randn(3, 20, K, generator=generator),
    }
    state["student"][1] += 3.0 * torch.eye(K)[labels]  # in the second epoch it is better
    file = tmp_path / "met"
    torch.save(state, f"{file}.data")
    program = written(tmp_path / "program.py", PROGRAM)
    processes = [
        Program(program, f"process-{rank}", rank=rank, meet=str(file)) for rank in range(2)
    ]
    for process in processes:
        process.finish()
    criterion = tfkd.weak_to_strong_kd(nn.Identity(), alpha=0.5, samples_per_epoch=20)
    first, second = (torch.load(f"{file}.{rank}", weights_only=True) for rank in range(2))
    passed = []
    for step in range(7):
        part = slice((0, 8, 16)[step % 3], (8, 16, 20)[step % 3])
        z = state["student"][step // 3][part].requires_grad_()
        criterion(z, labels[part], state["teacher"][part])
        alone = criterion.state_dict()
        for name, value in alone.items():
            assert torch.equal(first[step][name], value), (step, name)
            assert torch.equal(second[step][name], value), (step, name)
        passed.append(criterion.teacher.is_silent)
    assert passed == [False] * 6 + [True]
