"""Checks of what a loop must give and tell, and of what is said where it does not."""

from __future__ import annotations

from typing import Any

from tfkd.teachers import Teacher
from tfkd.teachers.base import wants
from tfkd.testing.difference import answers_differ, states_differ
from tfkd.testing.subject import BATCHES, HOOKS, LeftOut, Subject, Training, inner

ACCUMULATED = 64


def what_a_batch_lacks_is_said(subject: Subject) -> None:
    """Inputs, indices or a view that it needs are named where they are not given."""
    if not subject.needs:
        raise LeftOut("it needs logits and labels alone")
    for name in subject.needs:
        error = subject.without(name)
        words = f"{type(error).__name__}: {error}"
        assert str(error).startswith("Expected"), f"without `{name}` it says {words}"
        assert f"`{name}`" in str(error), f"without `{name}`, it does not name it: {words}"


def forgotten_steps_are_said(subject: Subject) -> None:
    """A loop without `step_ended` is stopped by the third batch; one that accumulates is not."""
    if "step_ended" not in subject.hooks:
        raise LeftOut("it is not told of steps")
    run = Training(subject)
    for number in range(ACCUMULATED):
        run.show(subject.batch(seed=number))
    run = Training(subject)
    try:
        for number in range(BATCHES):
            run.step(number, ends=False)
    except RuntimeError as error:
        assert "`criterion.step_ended(model)`" in str(error), f"it says: {error}"
    else:
        raise AssertionError("three steps went by that it was not told of")


def forgotten_epochs_are_said(subject: Subject) -> None:
    """A criterion that would never learn of the end of an epoch is not built."""
    if "epoch_ended" not in subject.hooks:
        raise LeftOut("it is not told of epochs")
    try:
        subject.criterion(subject.fresh()[0], samples_per_epoch=None)
    except ValueError as error:
        assert "`samples_per_epoch`" in str(error), f"it says: {error}"
    else:
        raise AssertionError("a criterion without `samples_per_epoch` was built")


def counted_epochs_are_told_epochs(subject: Subject) -> None:
    """By the number of samples it is taught as by being told."""
    if "epoch_ended" not in subject.hooks:
        raise LeftOut("it is not told of epochs")
    told = Training(subject).epoch()
    counted = Training(subject, samples_per_epoch=len(subject.indices))
    for number in range(BATCHES):
        counted.step(number)
    for run in (told, counted):
        run.step(0)
    words = answers_differ(counted.answer(), told.answer())
    assert not words, words


def training_changes_what_it_remembers(subject: Subject) -> None:
    """A teacher that is told of training is not silently constant."""
    if not subject.hooks:
        raise LeftOut("it remembers nothing")
    run = Training(subject)
    state, said = run.teacher.state_dict(), run.answer()
    state = {name: value.clone() for name, value in state.items()}
    run.epoch().epoch()
    changed = states_differ(run.teacher.state_dict(), state) or answers_differ(run.answer(), said)
    assert changed, "two epochs of training changed neither its state nor its answers"


def hooks_reach_the_teachers_within(subject: Subject) -> None:
    """What one that it wraps wants to be told it is told."""
    teacher, student = subject.fresh()
    within = [(one, hook) for one in inner(teacher) for hook in HOOKS if wants(one, hook)]
    if not within:
        raise LeftOut("it wraps none that remembers")
    calls: dict[tuple[int, str], int] = {}
    for one, hook in within:
        _count(one, hook, calls)
    run = Training(subject)
    run.teacher, run.student = teacher, student
    run.criterion = subject.criterion(teacher)
    run.show(subject.batch())
    run.tell()
    for one, hook in within:
        times = calls.get((id(one), hook), 0)
        assert times == 1, f"{hook} of the {type(one).__name__} within was called {times} times"


def _count(teacher: Teacher, hook: str, calls: dict[tuple[int, str], int]) -> None:
    original = getattr(teacher, hook)

    def counted(*arguments: Any) -> None:
        calls[id(teacher), hook] = calls.get((id(teacher), hook), 0) + 1
        original(*arguments)

    setattr(teacher, hook, counted)


CHECKS = (
    what_a_batch_lacks_is_said,
    forgotten_steps_are_said,
    forgotten_epochs_are_said,
    counted_epochs_are_told_epochs,
    hooks_reach_the_teachers_within,
    training_changes_what_it_remembers,
)
