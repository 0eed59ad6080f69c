"""Settings that follow the progress of training: values, resumption, compilation, refusals."""

from __future__ import annotations

import copy
import math
import pickle
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

import tfkd
from tfkd.loss.schedules import Cosine, Linear, Progress, RampUp, Until, WarmUp
from tfkd.methods.options import added

Z = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.0, 0.0]], dtype=torch.float64)
Y = torch.tensor([0, 2])

VALUES = [
    (Linear(start=0.0, end=0.8, epochs=5), [0.0, 0.2, 0.4, 0.6, 0.8, 0.8, 0.8]),
    (Linear(start=3.0, end=1.0, epochs=2), [3.0, 1.0, 1.0]),
    (Linear(start=0.3, end=0.9, epochs=1), [0.3, 0.9]),  # one epoch has no last but the first
    (Cosine(start=1.0, end=0.0, epochs=3), [1.0, 0.5, 0.0, 0.0]),
    (Cosine(start=0.0, end=4.0, epochs=5), [0.0, 2.0 - math.sqrt(2), 2.0, 2.0 + math.sqrt(2), 4.0]),
    (WarmUp(value=0.6, epochs=3), [0.2, 0.4, 0.6, 0.6]),
    (WarmUp(value=0.6, epochs=1), [0.6, 0.6]),
    (RampUp(value=2.0, epochs=2), [2 * math.exp(-5), 2 * math.exp(-1.25), 2.0, 2.0]),
    (Until(value=0.5, epochs=2), [0.5, 0.5, 0.0, 0.0]),
    (Until(value=4.0, after=1.0, epochs=1), [4.0, 1.0]),
]


@pytest.mark.parametrize(("schedule", "values"), VALUES, ids=[repr(row[0]) for row in VALUES])
def test_values_are_those_computed_by_hand(schedule, values):
    for ended, value in enumerate(values):
        assert schedule(Progress(epochs=ended, steps=999)) == pytest.approx(value, abs=1e-12)
    by_steps = type(schedule)(**{**vars(schedule), "epochs": None, "steps": schedule.epochs})
    for ended, value in enumerate(values):
        assert by_steps(Progress(epochs=999, steps=ended)) == pytest.approx(value, abs=1e-12)


def test_what_is_added_is_the_same_share_and_scale_at_every_time():
    weight = Linear(start=1.0, end=4.0, epochs=4)
    both = added(weight, scale=0.5)
    for ended, value in enumerate([1.0, 2.0, 3.0, 4.0]):
        alpha, scale = (both[name](Progress(ended)) for name in ("alpha", "scale"))
        assert scale * alpha == pytest.approx(0.5 * value)
        assert scale * (1 - alpha) == pytest.approx(0.5)


BY_STEPS = {
    "attribute": lambda progress: 0.1 * min(progress.steps, 9),
    "index": lambda progress: 0.1 * progress[1],
    "last": lambda progress: 0.1 * progress[-1],
    "slice": lambda progress: 0.1 * sum(progress[1:]),
}
BY_BOTH = {
    "unpacked": lambda progress: 0.1 * (lambda epochs, steps: steps)(*progress),
    "compared": lambda progress: 0.1 if progress >= (1, 0) else 0.2,
    "equal": lambda progress: 0.1 if progress == Progress(0, 0) else 0.2,
    "replaced": lambda progress: 0.1 * progress._replace(epochs=3).steps,
    "kept": cache(lambda progress: 0.1 * progress.steps),
}


@pytest.mark.parametrize("way", [*BY_STEPS, *BY_BOTH])
def test_a_plain_function_follows_what_it_looks_at(way):
    schedule = (BY_STEPS | BY_BOTH)[way]
    if way in BY_BOTH:
        with pytest.raises(ValueError, match="since the schedule of `alpha` counts epochs"):
            tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=schedule)
    told = None if way in BY_STEPS else "told"
    criterion = tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=schedule, samples_per_epoch=told)
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with pytest.raises(RuntimeError, match=r"`criterion\.step_ended\(model\)`"):
        for _ in range(3):
            criterion(model(torch.ones(2, 4)), Y).backward()
            optimizer.step()
    assert criterion.state_dict()["progress"].shape == (4,)


def test_a_function_that_looks_at_epochs_alone_is_told_of_no_steps():
    with pytest.raises(ValueError, match="since the schedule of `alpha` counts epochs"):
        tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=lambda progress: 0.1 * progress.epochs)
    constant = tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=lambda progress: 0.1)
    assert constant.alpha == 0.1 and "progress" not in constant.state_dict()


def test_what_a_function_looks_at_later_counts_from_then_on():
    criterion = tfkd.DistillationLoss(
        tfkd.UniformTeacher(),
        alpha=lambda progress: 0.1 if progress.steps < 2 else 0.2 * progress.epochs,
    )
    criterion.step_ended(nn.Linear(1, 1))
    with pytest.raises(ValueError, match="since the schedule of `alpha` counts epochs"):
        criterion.step_ended(nn.Linear(1, 1))


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (lambda: 0.1, "raises TypeError for Progress"),
        (lambda epoch: 0.1 * epoch, "which returns tuple|raises TypeError"),
        (lambda progress: 1 / progress.steps, "raises ZeroDivisionError for Progress.epochs=0"),
        (lambda progress: None, "which returns NoneType"),
        (lambda progress: torch.tensor(0.1), "which returns Tensor"),
    ],
)
def test_a_function_that_is_no_schedule_is_refused_in_a_sentence(schedule, message):
    expected = "Expected `alpha` to be a number or a function, which takes a .* returns a number"
    with pytest.raises((TypeError, ValueError), match=f"^{expected}, got .*({message})"):
        tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=schedule)


NET = nn.Linear(2, 3)
WITH_ADDED = {
    "cs_kd": lambda **own: tfkd.cs_kd(NET, **own),
    "dlb": lambda added, **own: tfkd.dlb(added=lambda now: added(now) / 2.0, **own),
    "mean_teacher": lambda **own: tfkd.mean_teacher(NET, **own),
    "normalized_kd": lambda **own: tfkd.normalized_kd(NET, **own),
    "ttm": lambda **own: tfkd.transformed_teacher_matching(NET, **own),
    "wttm": lambda **own: tfkd.weighted_transformed_teacher_matching(NET, **own),
    "zipf": lambda **own: tfkd.zipf_label_smoothing(**own),
}


@pytest.mark.parametrize("method", WITH_ADDED)
def test_what_a_method_adds_may_follow_a_schedule(method):
    criterion = WITH_ADDED[method](
        added=Linear(start=1.0, end=3.0, epochs=3), scale=0.5, samples_per_epoch="told"
    )
    for epoch, value in enumerate([1.0, 2.0, 3.0, 3.0, 3.0, 3.0]):
        ramp = math.exp(-5.0 * (1.0 - epoch / 5.0) ** 2) if method == "mean_teacher" else 1.0
        assert criterion.alpha * criterion.scale == pytest.approx(0.5 * value * ramp)
        assert (1.0 - criterion.alpha) * criterion.scale == pytest.approx(0.5)
        criterion.epoch_ended()
    with pytest.raises(ValueError, match=r"Expected `added` (of at least 0|to be positive)"):
        WITH_ADDED[method](added=lambda now: -1.0, samples_per_epoch="told")
    with pytest.raises(ValueError, match="Expected `samples_per_epoch`"):
        WITH_ADDED[method](added=Linear(start=1.0, end=3.0, epochs=3))


def three(**options):
    """A loss of which alpha counts epochs, temperature steps, and scale epochs."""
    settings = {
        "alpha": Linear(start=0.1, end=0.9, epochs=3),
        "temperature": Cosine(start=5.0, end=1.0, steps=5),
        "scale": Until(value=2.0, after=1.0, epochs=1),
    }
    return tfkd.DistillationLoss(
        tfkd.VirtualTeacher(0.9), **(settings | {"samples_per_epoch": "told"} | options)
    )


def test_a_loss_is_that_of_its_numbers_at_every_time():
    criterion, student = three(), nn.Linear(1, 1)
    expected = [(0.1, 5.0, 2.0), (0.1, 3 + math.sqrt(2), 2.0), (0.5, 3 + math.sqrt(2), 1.0)]
    tell = [lambda: None, lambda: criterion.step_ended(student), criterion.epoch_ended]
    for act, (alpha, temperature, scale) in zip(tell, expected, strict=True):
        act()
        fixed = tfkd.DistillationLoss(
            tfkd.VirtualTeacher(0.9), alpha=alpha, temperature=temperature, scale=scale
        )
        torch.testing.assert_close(criterion(Z, Y), fixed(Z, Y))
        assert (criterion.alpha, criterion.scale) == (alpha, scale)


def test_progress_is_resumed_exactly():
    criterion, student = three(), nn.Linear(1, 1)
    for _ in range(2):
        criterion.step_ended(student)
    criterion.epoch_ended()
    state = criterion.state_dict()
    assert state["progress"].tolist() == [1, 2, 0, 0]
    fresh = three()
    assert fresh(Z, Y) != criterion(Z, Y)
    fresh.load_state_dict(state)
    twins = (fresh, copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion)))
    for twin in twins:
        assert torch.equal(twin(Z, Y), criterion(Z, Y))
        assert repr(twin) == repr(criterion)
    for one in (criterion, *twins):
        one.step_ended(student)
        one.epoch_ended()
    for twin in twins:
        assert torch.equal(twin(Z, Y), criterion(Z, Y))


def test_progress_is_no_state_of_a_loss_that_counts_nothing():
    plain = tfkd.label_smoothing()
    assert not plain.state_dict()
    plain.load_state_dict({})
    with pytest.raises(RuntimeError, match=r"Unexpected key.*progress"):
        plain.load_state_dict(three().state_dict())
    with pytest.raises(RuntimeError, match=r"Missing key.*progress"):
        three().load_state_dict({})


def graphs_of(loss):
    torch.compiler.reset()
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph

    return torch.compile(loss, fullgraph=True, backend=backend), graphs


@pytest.mark.parametrize("name", ["alpha", "temperature", "scale"])
def test_a_number_that_changes_twelve_times_is_compiled_at_most_twice(name):
    criterion = tfkd.tf_kd_reg(alpha=0.5)
    compiled, graphs = graphs_of(criterion)
    for step in range(12):
        setattr(criterion, name, 0.3 + step / 20)
        torch.testing.assert_close(compiled(Z, Y), criterion(Z, Y))
    assert len(graphs) <= 2


def test_a_loss_by_schedules_is_compiled_once_also_at_their_ends():
    student, logits = nn.Linear(1, 1), Z.clone().requires_grad_()
    criterion = tfkd.DistillationLoss(
        tfkd.NetworkTeacher(nn.Identity()),
        alpha=Linear(start=0.0, end=1.0, epochs=12),
        temperature=Linear(start=4.0, end=1.0, steps=12),
        scale=Cosine(start=1.0, end=2.0, steps=12),
        samples_per_epoch="told",
    )
    compiled, graphs = graphs_of(criterion)
    # Of a masked class a term is infinite; without weight it counts nothing.
    masked = torch.tensor([[2.0, 0.0, -math.inf], [0.5, 1.0, 0.0]], dtype=torch.float64)
    for step in range(12):
        ours, expected = compiled(logits, Y, -logits.detach()), criterion(logits, Y, -Z)
        torch.testing.assert_close(ours, expected)
        grads = (torch.autograd.grad(loss, logits)[0] for loss in (ours, expected))
        torch.testing.assert_close(*grads)
        if step in (0, 11):
            value, labels = masked.clone().requires_grad_(), torch.tensor([0, 1])
            torch.testing.assert_close(
                compiled(value, labels, Z), criterion(value, labels, Z), equal_nan=True
            )
        criterion.step_ended(student)
        criterion.epoch_ended()
    assert len(graphs) <= 2


def test_an_epoch_that_nobody_would_tell_of_is_refused_at_once():
    schedule = Linear(start=0.1, end=0.9, epochs=3)
    for name in ("alpha", "temperature", "scale"):
        settings = {"alpha": 0.5, name: schedule}
        with pytest.raises(
            ValueError, match=rf"`samples_per_epoch`, since .*`{name}` counts epoch"
        ):
            tfkd.DistillationLoss(tfkd.UniformTeacher(), **settings)
        criterion = tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=0.5)
        before = repr(criterion)
        with pytest.raises(ValueError, match=r"`samples_per_epoch`"):
            setattr(criterion, name, schedule)
        assert repr(criterion) == before
    told = three()
    with pytest.raises(ValueError, match=r"`samples_per_epoch`"):
        told.samples_per_epoch = None
    # By steps, or of one's own that says so, there is nothing to be told of epochs.
    tfkd.DistillationLoss(tfkd.UniformTeacher(), alpha=Linear(start=0.1, end=0.9, steps=3))


def test_a_function_of_ones_own_is_a_schedule_of_epochs():
    criterion = tfkd.DistillationLoss(
        tfkd.UniformTeacher(),
        alpha=lambda progress: 0.1 * (1 + progress.epochs),
        samples_per_epoch="told",
    )
    criterion.epoch_ended()
    assert criterion.alpha == pytest.approx(0.2)
    criterion.alpha = 0.7
    criterion.epoch_ended()
    assert criterion.alpha == 0.7


def test_values_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"`alpha` in \[0, 1\], got 1\.5"):
        three(alpha=Linear(start=0.5, end=1.5, epochs=2))
    with pytest.raises(ValueError, match=r"`temperature` .*positive.*got 0"):
        three(temperature=Linear(start=0.0, end=1.0, epochs=2))
    for wrong in ({}, {"epochs": 2, "steps": 2}):
        with pytest.raises(TypeError, match="one of `epochs` and `steps`"):
            Linear(start=0.0, end=1.0, **wrong)
    with pytest.raises(ValueError, match=r"`epochs` of at least 1, got 0"):
        WarmUp(value=1.0, epochs=0)
    with pytest.raises(TypeError, match=r"`start` .*number, got str"):
        Linear(start="0", end=1.0, epochs=1)


@pytest.mark.parametrize(
    "setting",
    [
        {"alpha": WarmUp(value=2.0, epochs=4)},
        {"alpha": Linear(start=0.5, end=2.0, epochs=3)},
        {"alpha": Until(value=0.5, after=-1.0, steps=3)},
        {"temperature": Cosine(start=4.0, end=0.0, epochs=3)},
        added(Linear(start=1.0, end=-1.0, epochs=3)),
    ],
    ids=repr,
)
def test_a_schedule_that_leaves_its_range_later_is_refused_at_once(setting):
    with pytest.raises(ValueError, match=r"Expected `(alpha|temperature|added)` "):
        three(**setting)
    criterion = three()
    before = repr(criterion)
    (name, value) = next(iter(setting.items()))
    with pytest.raises(ValueError, match=r"Expected `"):
        setattr(criterion, name, value)
    assert repr(criterion) == before


@pytest.mark.parametrize("tell", ["epoch_ended", "step_ended"])
def test_a_function_that_leaves_its_range_is_refused_before_anything_has_changed(tell):
    teacher = tfkd.OnlineTeacher(3)
    criterion = tfkd.DistillationLoss(
        teacher, alpha=lambda progress: 0.5 + sum(progress), samples_per_epoch="told"
    )
    criterion(Z.float().requires_grad_(), Y)
    before = {name: value.clone() for name, value in criterion.state_dict().items()}
    assert teacher.counts.sum() > 0
    with pytest.raises(ValueError, match=r"Expected `alpha` in \[0, 1\], got 1.5"):
        getattr(criterion, tell)(*[nn.Identity()] * (tell == "step_ended"))
    after = criterion.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert criterion.alpha == 0.5


def test_a_schedule_may_answer_with_numbers_of_numpy():
    def half(progress):
        return np.float32(0.25) * np.int64(2)

    criterion = three(alpha=half)
    assert criterion.alpha == 0.5
    assert type(criterion.alpha) is float
