"""Checks of what a teacher answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tfkd.loss import distillation_loss
from tfkd.teachers import Answer, Batch
from tfkd.testing.difference import answers_differ, same, tensors_differ
from tfkd.testing.subject import LeftOut, Subject, Training, ask, in_order, with_tensors

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
ACCELERATORS = ("cuda", "mps", "xpu")
ROUNDING = 1e-4
"""How far numbers of float32 may lie apart that are computed in another order."""


def answers_have_the_shape_of_the_logits(subject: Subject) -> None:
    """A gap may be a number or of the shape of class indices, as the shares."""
    _has_shape(ask(subject.teacher, subject.batch()), subject.batch())
    _has_shape(ask(Training(subject).epoch().teacher, subject.batch()), subject.batch())


def _has_shape(answer: Answer, batch: Batch) -> None:
    logits = tuple(batch.student_logits.shape)
    of_indices = logits[:1] + logits[2:] if len(logits) > 1 else ()
    for name, said in answer._asdict().items():
        if not isinstance(said, Tensor):
            assert type(said) in (float, int), f"`{name}` is of {type(said).__name__}"
            continue
        shapes = (logits, of_indices) if name == "logits" else (of_indices,)
        assert tuple(said.shape) in shapes, (
            f"`{name}` is of shape {tuple(said.shape)} and not of {' or '.join(map(str, shapes))}"
        )
        assert said.is_floating_point(), f"`{name}` is of {said.dtype}"
        assert not said.isnan().any(), f"`{name}` has NaN"


def answers_are_constants(subject: Subject) -> None:
    """No gradient leads from what it says to anywhere, and autograd may save it."""
    batch = subject.batch()
    batch.student_logits.requires_grad_()
    for name, said in ask(Training(subject).epoch().teacher, batch)._asdict().items():
        if isinstance(said, Tensor):
            assert not said.requires_grad, f"`{name}` has a gradient: detach it"
            assert not said.is_inference(), f"`{name}` is an inference tensor: clone it"


def nothing_of_it_is_trained(subject: Subject) -> None:
    """It has no parameters for an optimiser, and the gradient is that of a constant teacher."""
    run = Training(subject).epoch()
    names = [name for name, _ in run.criterion.named_parameters()]
    assert not names, f"the student's optimiser would train {names}: keep buffers"
    if run.teacher.is_silent:
        raise LeftOut("it is silent")
    batch = subject.batch()
    logits = batch.student_logits.requires_grad_()
    held = [parameter.grad for parameter in run.student.parameters()]
    (ours,) = torch.autograd.grad(run.loss_of(batch).sum(), logits)
    said = ask(run.teacher, batch)
    own: dict[str, Any] = {name: getattr(run.criterion, name) for name in _OF_THE_FUNCTION}
    own |= {"share": said.share, "label_share": said.label_share}
    loss = distillation_loss(logits, batch.labels, said.logits, **own)
    (expected,) = torch.autograd.grad(loss.sum(), logits)
    same(tensors_differ(ours, expected, ROUNDING), "the gradient of the loss")
    for parameter, before in zip(run.student.parameters(), held, strict=True):
        assert parameter.grad is before, "a loss of other logits has a gradient by the student"


_OF_THE_FUNCTION = (
    *("alpha", "temperature", "scale", "decoupled", "standardize"),
    *("weight", "ignore_index", "reduction"),
)


def answers_are_the_same_when_asked_again(subject: Subject) -> None:
    """Whatever the mode of the loss."""
    run = Training(subject).epoch()
    before = ask(run.teacher, subject.batch())
    same(answers_differ(ask(run.teacher, subject.batch()), before), "asked again")
    run.criterion.eval()
    same(answers_differ(ask(run.teacher, subject.batch()), before), "asked in eval mode")


def the_gap_is_what_it_answers(subject: Subject) -> None:
    """`gap(num_classes)` says beforehand what each batch will be answered with."""
    gap = subject.teacher.gap(subject.num_classes)
    if gap is None:
        raise LeftOut("`gap` is None")
    said = ask(subject.teacher, subject.batch())
    same(answers_differ(said, Answer(float(gap))), "the answer, which is not that gap")


def answers_follow_the_order_of_samples(subject: Subject) -> None:
    """Samples in another order are answered in that order."""
    run = Training(subject).epoch()
    order = torch.arange(8).flip(0)
    before = ask(run.teacher, subject.batch())
    after = ask(run.teacher, in_order(subject.batch(), order))
    moved = _with_tensors(before, lambda x: x[order])
    same(answers_differ(after, moved, ROUNDING), "samples in another order")


def _with_tensors(answer: Answer, change: Callable[[Tensor], Tensor]) -> Answer:
    fields: Any = answer
    return Answer(*(change(x) if isinstance(x, Tensor) else x for x in fields))


def answers_follow_the_order_of_classes(subject: Subject) -> None:
    """Classes in another order are answered in that order, and remembered in it."""
    if not subject.alike:
        raise LeftOut("it is not said to treat all classes `alike`")
    order = torch.arange(subject.num_classes).roll(1)

    def renamed(batch: Batch) -> Batch:
        labels = order.argsort()[batch.labels]
        return batch._replace(student_logits=batch.student_logits[:, order], labels=labels)

    run, other = Training(subject), Training(subject)
    for seed in range(3):
        run.show(subject.batch(seed=seed))
        other.show(renamed(subject.batch(seed=seed)))
    before = ask(run.tell().teacher, subject.batch())
    if isinstance(before.logits, Tensor) and before.logits.dim() > 1:
        before = before._replace(logits=before.logits[:, order])
    after = ask(other.tell().teacher, renamed(subject.batch()))
    same(answers_differ(after, before, ROUNDING), "classes in another order")


def probability_labels_are_taken_or_refused(subject: Subject) -> None:
    """Those that are certain are class indices."""
    run = Training(subject).epoch()
    batch = subject.batch()
    mixed = batch._replace(labels=_certain(subject, batch).roll(1, 0) * 0.25)
    mixed = mixed._replace(labels=mixed.labels + 0.75 * _certain(subject, batch))
    _is_taken(subject, run, mixed, "probability labels")
    run = Training(subject).epoch()
    certain = run.loss_of(batch._replace(labels=_certain(subject, batch)))
    words = tensors_differ(certain, run.loss_of(batch), ROUNDING)
    same(words, "the loss of one-hot labels, which is not that of their class indices")


def _certain(subject: Subject, batch: Batch) -> Tensor:
    return F.one_hot(batch.labels, subject.num_classes).float()


def dense_logits_are_taken_or_refused(subject: Subject) -> None:
    """Logits `(N, K, d1, ...)`; of those that look at nothing else each position is a sample."""
    run = Training(subject).epoch()
    dense = subject.batch(2, 3)
    _student_takes(subject, dense, "dense samples")
    _is_taken(subject, run, dense, "dense logits")
    if subject.needs:
        return
    run = Training(subject).epoch()
    flat = dense.student_logits.movedim(1, -1).flatten(0, -2)
    rows = ask(run.teacher, Batch(flat, dense.labels.flatten(), temperature=dense.temperature))
    said = ask(run.teacher, dense)
    if isinstance(said.logits, Tensor) and said.logits.shape == dense.student_logits.shape:
        said = said._replace(logits=said.logits.movedim(1, -1).flatten(0, -2))
    said = _with_tensors(said, lambda x: x if x.dim() == 2 else x.flatten())
    same(answers_differ(said, rows, ROUNDING), "positions, which are not answered as samples")


def unbatched_logits_are_taken_or_refused(subject: Subject) -> None:
    """Logits `(K,)` are a batch of one."""
    run = Training(subject).epoch()
    one = subject.batch(unbatched=True)
    _student_takes(subject, one, "a sample without a batch")
    _is_taken(subject, run, one, "unbatched logits")
    run = Training(subject).epoch()
    several = with_tensors(one, lambda x: x.unsqueeze(0))
    words = tensors_differ(run.loss_of(one), run.loss_of(several), ROUNDING)
    same(words, "the loss of one sample, which is not that of a batch of one")


def _student_takes(subject: Subject, batch: Batch, what: str) -> None:
    """Leave the check out where the teacher looks at inputs that nobody could train on."""
    if "inputs" not in subject.needs:
        return
    _, student = subject.fresh()
    try:
        with torch.no_grad():
            logits = student(batch.inputs)
    except Exception as error:
        raise LeftOut(f"the `student` does not take {what}: {error}") from None
    if logits.shape != batch.student_logits.shape:
        raise LeftOut(f"the `student` does not take {what}")


def _is_taken(subject: Subject, run: Training, batch: Batch, what: str) -> None:
    """Ask, train and ask again."""

    def act() -> None:
        said = ask(run.teacher, batch)
        loss = run.loss_of(batch)
        run.show(batch)
        run.tell()
        _has_shape(said, batch)
        _has_shape(ask(run.teacher, batch), batch)
        _has_shape(run.answer(), subject.probe)
        assert loss.isfinite().all(), f"{what} have a loss of {loss}"

    subject.taken(act, what)


def every_dtype_is_taken_or_refused(subject: Subject) -> None:
    """And the loss is the same as in float64, as far as the dtype goes."""
    batch = subject.batch()
    for dtype in DTYPES:
        run = Training(subject).epoch()
        exact = run.loss_of(batch._replace(student_logits=batch.student_logits.double()))
        typed = batch._replace(student_logits=batch.student_logits.to(dtype))
        _is_taken(subject, run, typed, f"logits of {dtype}")
        loss = Training(subject).epoch().loss_of(typed)
        tolerance = ROUNDING if dtype.itemsize >= 4 else 2e-2
        same(tensors_differ(loss, exact, tolerance), f"the loss of {dtype}")


def every_device_is_taken(subject: Subject) -> None:
    """It moves with the criterion, and remembers the same there."""
    devices = [name for name in ACCELERATORS if getattr(torch, name).is_available()]
    if not devices:
        raise LeftOut("there is no accelerator")
    for device in devices:
        _is_the_same_on(device, subject)


def _is_the_same_on(device: str, subject: Subject) -> None:
    run, here = Training(subject), Training(subject)
    run.criterion.to(device)
    run.student.to(device)
    for seed in range(3):
        run.show(with_tensors(subject.batch(seed=seed), lambda x: x.to(device)))
        here.show(subject.batch(seed=seed))
    run.tell()
    here.tell()
    there = with_tensors(subject.batch(), lambda x: x.to(device))
    said = ask(run.teacher, there)
    for name, value in said._asdict().items():
        if isinstance(value, Tensor):
            assert value.device.type == device, f"`{name}` of {device} is on {value.device}"
    _has_shape(said, subject.batch())
    batch = there._replace(indices=subject.batch().indices)
    same(answers_differ(ask(run.teacher, batch), said), "with `indices` on the CPU")
    same(answers_differ(said, ask(here.teacher, subject.batch()), 1e-3), device)


def masked_classes_make_nothing_undefined(subject: Subject) -> None:
    """Logits of minus infinity, of other classes than the label: infinite losses are no NaN."""
    run = Training(subject).epoch()
    batch = subject.batch()
    masked = ((batch.labels + 1) % subject.num_classes).unsqueeze(1)
    masked = batch.student_logits.scatter(1, masked, -math.inf)
    batch = batch._replace(student_logits=torch.where(_odd(8), masked, batch.student_logits))

    def act() -> Any:
        _has_shape(ask(run.teacher, batch), batch)
        loss = run.loss_of(batch)
        run.show(batch)
        run.tell()
        return loss

    loss = subject.taken(act, "logits of minus infinity")
    assert not loss.isnan().any(), f"the loss is {loss}"
    _has_shape(run.answer(), subject.probe)
    for name, value in run.state().items():
        assert not value.isnan().any(), f"`{name}` of the state has NaN"


def _odd(rows: int) -> Tensor:
    return (torch.arange(rows) % 2 == 1).unsqueeze(1)


def it_is_printed_without_addresses(subject: Subject) -> None:
    """`repr` says what it is, the same for each copy."""
    words = repr(subject.teacher)
    assert type(subject.teacher).__name__ in words, words
    assert " at 0x" not in words, words
    assert repr(subject.fresh()[0]) == words, f"{subject.fresh()[0]!r}, and not {words}"


CHECKS = (
    answers_have_the_shape_of_the_logits,
    answers_are_constants,
    answers_are_the_same_when_asked_again,
    nothing_of_it_is_trained,
    the_gap_is_what_it_answers,
    answers_follow_the_order_of_samples,
    answers_follow_the_order_of_classes,
    probability_labels_are_taken_or_refused,
    dense_logits_are_taken_or_refused,
    unbatched_logits_are_taken_or_refused,
    every_dtype_is_taken_or_refused,
    every_device_is_taken,
    masked_classes_make_nothing_undefined,
    it_is_printed_without_addresses,
)
