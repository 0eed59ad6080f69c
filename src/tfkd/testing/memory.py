"""Checks of what a teacher remembers."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tfkd.loss import DistillationLoss
from tfkd.teachers import Batch
from tfkd.testing.answers import ROUNDING
from tfkd.testing.difference import answers_differ, same, states_differ, tensors_differ
from tfkd.testing.subject import BATCH, BATCHES, LeftOut, Subject, Training, ask, in_order

IGNORED = (-100, 1)
"""Class indices that are ignored: one that is none, and one that could be a class."""


def order_of_samples_changes_no_state(subject: Subject) -> None:
    """Batches with their samples in another order are remembered alike, to the last bit."""
    run, other = _remembering(subject), Training(subject)
    for seed in range(3):
        batch = _known(subject, seed)
        run.show(batch)
        other.show(in_order(batch, torch.randperm(len(batch.labels), generator=_chance(seed))))
        for one in (run, other):
            one.criterion.step_ended(one.student)
    _same_memory(run, other, "samples in another order; add up integers, as of p·2^32")


def _remembering(subject: Subject) -> Training:
    if not subject.hooks:
        raise LeftOut("it remembers nothing")
    return Training(subject)


def _known(subject: Subject, seed: int) -> Batch:
    """A batch of two classes, so that many add up, whose labels the student knows."""
    batch = subject.batch(of=BATCH * BATCHES, seed=seed)
    labels = batch.labels % 2
    known = 3.0 * F.one_hot(labels, subject.num_classes)
    logits = torch.randn(batch.student_logits.shape, generator=_chance(seed)) + known
    return batch._replace(labels=labels, student_logits=logits)


def _chance(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _same_memory(run: Training, other: Training, note: str) -> None:
    """That both answer alike, now and when the epoch has ended."""
    for when in ("in mid-epoch", "at the end of the epoch"):
        same(answers_differ(other.answer(), run.answer()), f"{note}, {when}")
        run.tell()
        other.tell()


def ignored_labels_change_no_state(subject: Subject) -> None:
    """Samples that the loss ignores are as if they were not there, whatever is in them."""
    if not subject.hooks:
        raise LeftOut("it remembers nothing")

    for ignored in IGNORED:
        _leaves_out(ignored, subject)


def _leaves_out(ignored: int, subject: Subject) -> None:
    def taught(change: Callable[[Batch], Batch]) -> Training:
        run = Training(subject, ignore_index=ignored)
        for seed in range(3):
            batch = subject.batch(seed=seed)
            labels = torch.where(batch.labels == ignored, 0, batch.labels)
            labels[::3] = ignored
            run.show(change(batch._replace(labels=labels)))
            run.criterion.step_ended(run.student)
        return run

    def wild(batch: Batch) -> Batch:
        there = (batch.labels == ignored).unsqueeze(1)
        logits = torch.where(there, 3.0 - batch.student_logits, batch.student_logits)
        return batch._replace(student_logits=logits)

    def left_out(batch: Batch) -> Batch:
        return in_order(batch, (batch.labels != ignored).nonzero().squeeze(1))

    note = f"`ignore_index={ignored}`"
    as_they_are = taught(lambda batch: batch)
    _same_memory(as_they_are, taught(wild), f"{note}, other logits of what is ignored")
    as_they_are = taught(lambda batch: batch)
    _same_memory(as_they_are, taught(left_out), f"{note}, without what is ignored")


def asking_changes_no_state(subject: Subject) -> None:
    """It answers without remembering that it was asked."""
    run = Training(subject).epoch()
    before = run.state()
    for seed in range(3):
        ask(run.teacher, subject.batch(seed=seed))
    same(states_differ(run.state(), before), "asked three times")


def evaluation_changes_no_state(subject: Subject) -> None:
    """In eval mode, without gradients, and of logits that have none."""
    run = Training(subject).epoch()
    run.step(0)
    state, said = run.state(), run.answer()

    def unchanged(how: str) -> None:
        same(states_differ(run.state(), state), how)
        same(answers_differ(run.answer(), said), how)

    run.criterion.eval()
    run.show(subject.batch())
    unchanged("after a batch in eval mode")
    run.criterion.train()
    batch = subject.batch()
    given = {"indices": batch.indices, "view": batch.view}
    run.criterion(batch.student_logits, batch.labels, batch.inputs, **given)
    unchanged("after a batch without gradient")
    with torch.no_grad():
        logits = batch.student_logits.requires_grad_()
        run.criterion(logits, batch.labels, batch.inputs, **given)
    unchanged("after a batch under no_grad")


def _saved(criterion: nn.Module) -> dict[str, Tensor]:
    """The state as it comes back from a file."""
    file = io.BytesIO()
    torch.save(criterion.state_dict(), file)
    loaded: dict[str, Tensor] = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    return loaded


def _resumed(run: Training) -> Training:
    """A fresh training that takes over where another stands."""
    other = Training(run.subject)
    other.student.load_state_dict(run.student.state_dict())
    other.criterion.load_state_dict(_saved(run.criterion))
    return other


def a_fresh_teacher_takes_over_the_state(subject: Subject) -> None:
    """All that it remembers is in `state_dict`, also in the middle of an epoch."""
    run = Training(subject)
    for done in range(2):
        run.step(done)
        other = _resumed(run)
        same(states_differ(other.state(), run.state()), "loaded")
        same(answers_differ(other.answer(), run.answer()), "a fresh teacher with its state")
        run.epoch()


def resumed_training_is_training_without_a_break(subject: Subject) -> None:
    """To the last bit of the student's weights."""
    run = Training(subject).epoch()
    run.step(0)
    other = _resumed(run)
    for one in (run, other):
        one.step(1)
        one.step(2)
        one.criterion.epoch_ended()
        one.epoch()
    _same_training(other, run, "resumed in mid-epoch")


def _same_training(run: Training, other: Training, note: str) -> None:
    same(states_differ(run.state(), other.state()), note)
    same(answers_differ(run.answer(), other.answer()), note)
    same(
        states_differ(run.student.state_dict(), other.student.state_dict()),
        f"{note}, the student",
    )


def copies_are_equal_and_apart(subject: Subject) -> None:
    """By `copy.deepcopy` and by `pickle`; what one learns the other does not."""
    run = Training(subject).epoch()
    run.step(0)
    both = (run.criterion, run.student)
    for name, copied in (("deepcopy", copy.deepcopy(both)), ("pickle", _pickled(both))):
        state, said = run.state(), run.answer()
        twin = Training(subject)
        twin.criterion, twin.student = copied
        twin.teacher, twin.loss = twin.criterion.teacher, twin.criterion.forward
        twin.optimizer = torch.optim.SGD(twin.student.parameters(), 0.25)
        same(states_differ(twin.state(), state), name)
        same(answers_differ(twin.answer(), said), name)
        assert repr(twin.criterion) == repr(run.criterion), f"{name}: {twin.criterion!r}"
        twin.epoch()
        same(states_differ(run.state(), state), f"{name}, when the copy had learned more")
        same(answers_differ(run.answer(), said), f"{name}, when the copy had learned more")


def _pickled(both: tuple[DistillationLoss, nn.Module]) -> tuple[DistillationLoss, nn.Module]:
    loaded: tuple[DistillationLoss, nn.Module] = pickle.loads(pickle.dumps(both))
    return loaded


def compiled_training_is_training(subject: Subject) -> None:
    """`torch.compile` takes the criterion in one graph; it remembers the same."""
    if not subject.compiles:
        raise LeftOut("it is said not to go through `torch.compile`")
    torch.compiler.reset()
    run, compiled = Training(subject).epoch(), Training(subject).epoch()
    compiled.loss = torch.compile(compiled.criterion, fullgraph=True, backend="eager")
    with warnings.catch_warnings():
        # Of torch itself, which looks for gradients of logits.
        warnings.filterwarnings("ignore", "The .grad attribute", UserWarning)
        for number in range(2):
            words = tensors_differ(compiled.step(number), run.step(number), ROUNDING)
            same(words, f"the loss of batch {number + 1}")
    for one in (run, compiled):
        one.criterion.epoch_ended()
    same(answers_differ(compiled.answer(), run.answer(), ROUNDING), "compiled")


CHECKS = (
    order_of_samples_changes_no_state,
    ignored_labels_change_no_state,
    asking_changes_no_state,
    evaluation_changes_no_state,
    a_fresh_teacher_takes_over_the_state,
    resumed_training_is_training_without_a_break,
    copies_are_equal_and_apart,
    compiled_training_is_training,
)
