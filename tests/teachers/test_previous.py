"""What the teacher of previous answers remembers of each sample, and where."""

from __future__ import annotations

import copy
import errno
import math
import os
import pickle

import pytest
import torch
import torch.nn.functional as F
from split_off import Program, written

import tfkd

N, K = 20, 5
FORMS = ("float32", "float16", "top-2")


def logits(count=N, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(count, K, generator=generator)


LABELS = torch.arange(N) % K
ALL = torch.arange(N)


@pytest.fixture(params=["memory", "disk"])
def place(request, tmp_path):
    return tmp_path / "answers" if request.param == "disk" else None


def criterion_of(form="float32", directory=None, alpha=0.5, **options):
    teacher = tfkd.PreviousTeacher(N, K, form=form, directory=directory)
    return tfkd.DistillationLoss(teacher, alpha=alpha, samples_per_epoch="told", **options)


def answers(criterion, labels=LABELS):
    return criterion.teacher(tfkd.Batch(torch.zeros(N, K), labels, indices=ALL))


def see(criterion, z, labels, indices):
    criterion(z.clone().requires_grad_(), labels, indices=indices)


@pytest.mark.parametrize("form", FORMS)
def test_it_says_the_label_of_what_it_has_not_seen_and_then_what_the_student_said(form, place):
    criterion, z = criterion_of(form, place), logits()
    assert torch.equal(answers(criterion), F.one_hot(LABELS, K).float().log())
    see(criterion, z[:8], LABELS[:8], ALL[:8])
    criterion.epoch_ended()
    said = answers(criterion).softmax(1)
    assert torch.equal(said[8:], F.one_hot(LABELS[8:], K).float())
    expected = z[:8].softmax(1)
    if form == "top-2":
        kept = expected.topk(2, 1)
        rest = (1 - kept.values.sum(1, keepdim=True)) / (K - 2)
        expected = rest.expand(8, K).scatter(1, kept.indices, kept.values)
    tolerance = 1e-6 if form == "float32" else 2e-3
    torch.testing.assert_close(said[:8], expected, rtol=0, atol=tolerance)


def test_of_what_was_never_seen_the_loss_is_cross_entropy_at_any_temperature(place):
    z = logits().double()
    for temperature, alpha in ((1.0, 0.7), (4.0, 1.0)):
        criterion = criterion_of(directory=place, alpha=alpha).eval()
        criterion.temperature = temperature
        expected = F.cross_entropy(z / temperature, LABELS) * (temperature**2 if alpha == 1 else 1)
        torch.testing.assert_close(criterion(z, LABELS, indices=ALL), expected)
    for labels in (torch.eye(K)[LABELS], z.flip(0).softmax(1)):
        loss = criterion_of(directory=place).eval()(z, labels, indices=ALL)
        entropy = -torch.special.xlogy(labels, labels).sum(1).mean()
        expected = F.cross_entropy(z, labels.to(z.dtype))
        torch.testing.assert_close(loss, expected - 0.5 * entropy.to(z.dtype))


def test_the_gradient_is_that_of_the_loss_with_the_logarithms_of_what_was_said():
    criterion, before = criterion_of(alpha=0.3), logits()
    see(criterion, before, LABELS, ALL)
    grads, part = [], torch.tensor([7, 2, 19])
    for loss_of in (
        lambda leaf: criterion(leaf, LABELS[part], indices=part),
        lambda leaf: tfkd.distillation_loss(
            leaf, LABELS[part], before[part].log_softmax(1), alpha=0.3
        ),
    ):
        leaf = logits(3, seed=1).double().requires_grad_()
        loss_of(leaf).backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(*grads, rtol=0, atol=1e-7)


def test_a_student_that_says_again_what_it_said_has_no_gradient_from_its_teacher():
    criterion = criterion_of(alpha=1.0)
    see(criterion, logits(), LABELS, ALL)
    leaf = logits().requires_grad_()
    criterion(leaf, LABELS, indices=ALL).backward()
    assert leaf.grad.abs().max() < 1e-7


def test_it_is_read_before_it_is_written():
    criterion = criterion_of(alpha=1.0)
    see(criterion, logits(), LABELS, ALL)
    other = logits(seed=1).requires_grad_()
    loss = criterion(other, LABELS, indices=ALL)
    log_p = other.log_softmax(1)
    expected = F.kl_div(log_p, logits().log_softmax(1), log_target=True, reduction="batchmean")
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(answers(criterion), log_p)


def test_of_a_sample_that_comes_twice_the_last_is_remembered(place):
    criterion, z = criterion_of(directory=place), logits(6)
    see(criterion, z, LABELS[:6], torch.tensor([3, 1, 3, 19, 1, 3]))
    criterion.epoch_ended()
    said = answers(criterion).softmax(1)
    for index, row in ((3, 5), (1, 4), (19, 3)):
        torch.testing.assert_close(said[index], z[row].softmax(0))
    assert torch.equal(said[0], F.one_hot(LABELS[0], K).float())


def test_what_does_not_count_changes_nothing(place):
    criterion, z = criterion_of(directory=place, ignore_index=2), logits(6)
    see(criterion, z, LABELS[:6], ALL[:6])
    criterion.epoch_ended()
    before = answers(criterion)
    other = logits(6, seed=1)
    other[0, 0], other[1, 3], other[3] = math.nan, math.inf, -math.inf
    see(criterion, other, torch.tensor([0, 0, 2, 0, 2, 0]), ALL[:6])
    see(criterion, other[2:3], torch.tensor([2]), torch.tensor([0]))
    criterion(other, LABELS[:6], indices=ALL[:6])  # no gradient is asked
    criterion.eval()(other.requires_grad_(), LABELS[:6], indices=ALL[:6])
    criterion.epoch_ended()
    changed = (answers(criterion) != before).any(1)
    assert changed.nonzero().flatten().tolist() == [5]


def test_a_mixture_is_remembered_for_the_sample_that_indices_name(place):
    criterion, z, q = criterion_of(directory=place), logits(), logits(seed=2).softmax(1)
    see(criterion, z, q, ALL)
    criterion.epoch_ended()
    torch.testing.assert_close(answers(criterion).softmax(1), z.softmax(1))
    none = criterion_of().teacher(tfkd.Batch(z, 0.0 * q, indices=ALL))
    assert torch.equal(none, torch.zeros(N, K))  # no label at all


def test_unbatched_masked_and_half(place):
    criterion, z = criterion_of(directory=place), logits()
    z[:, 4] = -math.inf
    see(criterion, z[7], LABELS[7], torch.tensor(7))
    see(criterion, z[:2].bfloat16(), LABELS[:2], ALL[:2])
    criterion.epoch_ended()
    said = answers(criterion).softmax(1)
    torch.testing.assert_close(said[7], z[7].softmax(0))
    torch.testing.assert_close(said[:2], z[:2].bfloat16().float().softmax(1))
    leaf = z[7].clone().requires_grad_()
    criterion(leaf, LABELS[7], indices=torch.tensor(7)).backward()
    assert leaf.grad.isfinite().all()


@pytest.mark.parametrize(
    ("shape", "indices", "error", "message"),
    [
        ((2, K), None, TypeError, r"`indices`, by which .* got None. Call the loss as"),
        ((2, K), torch.tensor([0.0, 1.0]), TypeError, "of dtype int64, got torch.float32"),
        ((2, K), torch.tensor([0, 20]), ValueError, "below the 20 samples, got 20"),
        ((2, K), torch.tensor([-1, 0]), ValueError, "below the 20 samples, got -1"),
        ((2, K), torch.tensor([1]), ValueError, r"shape \(2,\), one for each sample, got \(1,\)"),
        ((2, 4), torch.tensor([0, 1]), ValueError, r"of shape \(N, 5\) or \(5,\).* got \(2, 4\)"),
        ((2, K, 3), torch.tensor([0, 1]), ValueError, r"got \(2, 5, 3\)"),
    ],
)
@pytest.mark.parametrize("alpha", [0.5, 0.0])
def test_batches_that_it_cannot_know_are_refused(shape, indices, error, message, alpha):
    labels = torch.zeros(shape[0], *shape[2:], dtype=torch.int64)
    with pytest.raises(error, match=message):
        criterion_of(alpha=alpha)(torch.zeros(shape, requires_grad=True), labels, indices=indices)


def test_where_indices_cannot_be_looked_at_what_is_unknown_is_nan_and_not_remembered():
    teacher, z = tfkd.PreviousTeacher(N, K), logits(3)
    batch = tfkd.Batch(z, LABELS[:3], indices=torch.tensor([2, -1, N]))
    answer = torch.compile(teacher, fullgraph=True, backend="eager")(batch)
    assert answer.isnan().all(1).tolist() == [False, True, True]
    torch.compile(teacher.observe, fullgraph=True, backend="eager")(batch)
    assert teacher.remembered.seen.nonzero().flatten().tolist() == [2]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("form", FORMS)
def test_on_the_gpu_it_remembers_the_same_and_never_waits(form, tmp_path, never_waiting):
    here, there = criterion_of(form), criterion_of(form).cuda()
    batches = [(seed, torch.randperm(N)[:8]) for seed in range(6)]
    for seed, part in batches:
        see(here, logits(seed=seed)[part], LABELS[part], part)
        z, labels, indices = (x.cuda() for x in (logits(seed=seed)[part], LABELS[part], part))
        leaf = z.requires_grad_()
        with never_waiting():
            loss = there(leaf, labels, indices=indices)
        loss.backward()
    batch = tfkd.Batch(torch.zeros(N, K), LABELS, indices=ALL)
    on_gpu = tfkd.Batch(*(x.cuda() for x in batch[:2]), indices=ALL.cuda())
    expected = here.teacher(batch)
    torch.testing.assert_close(there.teacher(on_gpu).cpu(), expected, rtol=0, atol=1e-3)
    assert torch.equal(here.teacher(on_gpu).cpu(), expected)  # what is remembered stayed here
    wrong = on_gpu._replace(indices=torch.where(ALL == 3, N, ALL).cuda())
    assert there.teacher(wrong).isnan().all(1).nonzero().flatten().tolist() == [3]
    on_disk = criterion_of(form, tmp_path)
    z = logits().cuda().requires_grad_()
    on_disk(z, LABELS.cuda(), indices=ALL.cuda()).backward()
    on_disk.epoch_ended()
    torch.testing.assert_close(
        on_disk.teacher(on_gpu).softmax(1), z.detach().softmax(1), rtol=0, atol=0.5
    )


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="Expected `form` to be float32"):
        tfkd.PreviousTeacher(N, K, form="float64")
    with pytest.raises(ValueError, match="fewer than the 5 classes, got top-5"):
        tfkd.PreviousTeacher(N, K, form="top-5")
    with pytest.raises(ValueError, match="`num_samples` of at least 1, got 0"):
        tfkd.PreviousTeacher(0, K)
    with pytest.raises(ValueError, match="Expected `samples_per_epoch`"):
        tfkd.DistillationLoss(tfkd.PreviousTeacher(N, K), alpha=0.5)


@pytest.mark.parametrize("form", FORMS)
def test_it_survives_copies_state_and_moves(form, place):
    criterion = criterion_of(form, place)
    see(criterion, logits(), LABELS, ALL)
    criterion.epoch_ended()
    expected = answers(criterion)
    twins = [copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))]
    twins.append(criterion_of(form, place))
    twins[2].load_state_dict(criterion.state_dict())
    for twin in twins:
        assert torch.equal(answers(twin), expected)
        assert repr(twin) == repr(criterion)
        torch.testing.assert_close(answers(twin.double()), expected)
    if place is None:
        assert twins[0].to("meta").teacher.remembered.seen.device.type == "meta"


def test_memory_is_what_is_said():
    bytes_of = {
        form: sum(b.nbytes for b in tfkd.PreviousTeacher(N, 100, form=form).remembered.buffers())
        / N
        for form in ("float32", "float16", "top-10")
    }
    assert bytes_of == {"float32": 401, "float16": 201, "top-10": 43}


# On disk.


def epoch_of(criterion, seed, parts=2):
    for part in ALL.split(N // parts):
        see(criterion, logits(seed=seed)[part], LABELS[part], part)
    criterion.epoch_ended()


def folders(directory):
    return sorted(folder.name for folder in directory.glob("epoch-*"))


def test_files_are_kept_for_the_states_that_need_them_and_no_longer(tmp_path):
    criterion = criterion_of(directory=tmp_path)
    for seed in range(3):
        epoch_of(criterion, seed)
    see(criterion, logits()[:2], LABELS[:2], ALL[:2])
    assert folders(tmp_path) == ["epoch-3", "epoch-4"]
    states = [criterion.state_dict()]
    for _ in range(2):
        criterion.epoch_ended()
        epoch_of(criterion, 3)
        states.append(criterion.state_dict())
    assert folders(tmp_path) == [f"epoch-{e}" for e in (3, 4, 5, 6, 7)]
    criterion.epoch_ended()
    assert "epoch-3" not in folders(tmp_path)
    del criterion
    criterion_of(directory=tmp_path).load_state_dict(states[1])
    with pytest.raises(FileNotFoundError, match=r"epoch-3.* is the state an older one"):
        criterion_of(directory=tmp_path).load_state_dict(states[0])


def test_what_another_training_remembers_is_not_written_over(tmp_path):
    criterion = criterion_of(directory=tmp_path)
    epoch_of(criterion, 0)
    twin = copy.deepcopy(criterion)
    with pytest.raises(FileExistsError, match=r"another does\. Take another directory"):
        see(twin, logits(), LABELS, ALL)
    state = criterion.state_dict()
    del criterion
    with pytest.raises(FileExistsError, match=r"Go on with it by `criterion.load_state_dict"):
        see(criterion_of(directory=tmp_path), logits(), LABELS, ALL)
    resumed = criterion_of(directory=tmp_path)
    resumed.load_state_dict(state)
    epoch_of(resumed, 1)
    torch.testing.assert_close(answers(resumed), logits(seed=1).log_softmax(1))


def test_files_that_are_not_those_of_the_state_are_refused(tmp_path):
    criterion = criterion_of(directory=tmp_path / "one")
    epoch_of(criterion, 0)
    see(criterion, logits()[:2], LABELS[:2], ALL[:2])
    state = criterion.state_dict()
    del criterion
    other = criterion_of(directory=tmp_path / "other")
    epoch_of(other, 1)
    del other

    def refused(directory, error, message, form="float32"):
        with pytest.raises(error, match=message):
            criterion_of(form, directory).load_state_dict(state)

    refused(tmp_path / "other", ValueError, "written anew or changed since")
    refused(tmp_path / "none", FileNotFoundError, "found none")
    refused(tmp_path / "one", ValueError, "of other samples, classes, form", form="float16")
    next_epoch = tmp_path / "one" / "epoch-2"
    written = (next_epoch / "written.bin").read_bytes()
    (next_epoch / "written.bin").write_bytes(bytes(8))  # as if begun anew
    refused(tmp_path / "one", ValueError, "epoch-2 as it was when the state was saved")
    (next_epoch / "written.bin").write_bytes(written)
    criterion_of(directory=tmp_path / "one").load_state_dict(state)
    values = tmp_path / "one" / "epoch-1" / "values.bin"
    whole = values.read_bytes()
    values.write_bytes(whole[:-4])
    refused(tmp_path / "one", ValueError, "written anew or changed since")
    values.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    refused(tmp_path / "one", ValueError, "written anew or changed since")
    (values.parent / "description.json").write_text("{")
    refused(tmp_path / "one", ValueError, "Expected a description in")


def test_a_full_disk_is_an_error_and_no_crash(tmp_path, full_disk):
    criterion = criterion_of(directory=tmp_path)
    with full_disk(64), pytest.raises(OSError, match="too large"):
        see(criterion, logits(), LABELS, ALL)
    assert folders(tmp_path) == []
    epoch_of(criterion, 0)
    torch.testing.assert_close(answers(criterion), logits().log_softmax(1))


# Several processes.

PROCESS = """
import torch, tfkd
import torch.distributed as dist

torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
online = tfkd.online_label_smoothing(num_classes=5, samples_per_epoch=20)
options = dict(num_classes=5, num_samples=20, epochs=3)
memory = tfkd.ps_kd(**options)
disk = tfkd.ps_kd(**options, directory=f"{folder}/answers")
z = torch.load(f"{folder}/logits.pt")
labels = torch.arange(20) % 5
losses = []
for epoch in range(3):
    for start in (0, 12):
        part = torch.arange(start, min(start + 12, 20))
        own = part[rank::2] if epoch else part.tensor_split([5])[rank]  # of other sizes, too
        for criterion in (online, memory, disk):
            leaf = z[epoch][own].requires_grad_()
            losses.append(criterion(leaf, labels[own], indices=own).item())
for criterion in (online, memory, disk):
    criterion.samples_per_epoch = "told"  # counted so far, of which no more samples come
    criterion.epoch_ended()
batch = tfkd.Batch(torch.zeros(20, 5), labels, indices=torch.arange(20))
said = {name: c.teacher(batch) for name, c in (("memory", memory), ("disk", disk))}
torch.save({"online": online.teacher.targets, **said}, f"{folder}/said-{rank}.pt")
dist.destroy_process_group()
"""


def test_two_processes_remember_what_one_does(tmp_path, one_thread):
    z = torch.stack([logits(seed=seed) for seed in range(3)])
    torch.save(z, tmp_path / "logits.pt")
    file = written(tmp_path / "process.py", PROCESS)
    processes = [
        Program(
            *(file, f"process-{rank}"),
            place={"LOCAL_RANK": str(rank)},
            rank=rank,
            folder=str(tmp_path),
        )
        for rank in range(2)
    ]
    for process in processes:
        process.finish()

    online = tfkd.online_label_smoothing(num_classes=K, samples_per_epoch="told")
    memory = tfkd.ps_kd(num_classes=K, num_samples=N, epochs=3)
    for epoch in range(3):
        for part in ALL.split(12):
            for criterion in (online, memory):
                see(criterion, z[epoch][part], LABELS[part], part)
        online.epoch_ended()
    expected = {"online": online.teacher.targets, "memory": answers(memory)}
    expected["disk"] = expected["memory"]
    for rank in (0, 1):
        said = torch.load(tmp_path / f"said-{rank}.pt")
        for name, value in expected.items():
            assert torch.equal(said[name], value), (rank, name)


@pytest.mark.parametrize(("form", "classes"), [("top-2", 9), ("top-2", 3), ("float32", 6)])
def test_a_state_of_other_classes_is_refused(form, classes, place):
    criterion = criterion_of(form, place)
    see(criterion, logits(), LABELS, ALL)
    criterion.epoch_ended()
    state = criterion.state_dict()
    other = tfkd.PreviousTeacher(N, classes, form=form, directory=place)
    loss = tfkd.DistillationLoss(other, alpha=0.5, samples_per_epoch="told")
    with pytest.raises(ValueError, match=f"remembered of {classes} classes, got a state of {K}"):
        loss.load_state_dict(state)


@pytest.mark.parametrize("below", [".", "folder/folder"])
def test_a_directory_that_cannot_be_one_is_refused_at_once(tmp_path, below):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match=r"as `directory` .*file is a file"):
        tfkd.PreviousTeacher(N, K, directory=tmp_path / "file" / below)
    for directory, error in (("", ValueError), (3, TypeError), (True, TypeError)):
        with pytest.raises(error, match="Expected `directory` to be a path, got "):
            tfkd.PreviousTeacher(N, K, directory=directory)


def test_a_directory_that_may_not_be_written_to_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # a superuser may write anywhere
    with pytest.raises(PermissionError, match=r"Expected `directory` .*answers in a place that"):
        tfkd.PreviousTeacher(N, K, directory=tmp_path / "answers")


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_full_disk_is_said_with_what_it_is_short_of(tmp_path, monkeypatch, epoch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    criterion = criterion_of(directory=tmp_path)
    if epoch == 2:
        see(criterion, logits(), LABELS, ALL)
        criterion.epoch_ended()
    monkeypatch.setattr("tfkd.teachers.cache.epoch_files._write_zeros", full)
    with pytest.raises(OSError, match=rf"takes {N * (4 * K + 1) + 8} bytes.*epoch-{epoch}'"):
        see(criterion, logits(), LABELS, ALL)
