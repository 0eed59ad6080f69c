"""What a study costs, and how far it is."""

import math
import random

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image

from tfkd.data import DataSettings, load_data
from tfkd.method_table import METHODS, Method
from tfkd.runs import Circumstances, MethodSettings, Recipe
from tfkd.study.estimate import estimate, is_finished
from tfkd.study.plan import Arm, Study
from tfkd.study.speed import data_shape, measure_reading
from tfkd.study.status import study_status
from tfkd.train import train_run
from tfkd.train.progress import Silent

BASE = Recipe(data=DataSettings("digits", train_size=60), epochs=3, batch_size=30)
PLAIN = Arm("a/plain", MethodSettings(), BASE)
LONG = Arm("a/long", MethodSettings(), replace(BASE, epochs=6), control="double")
STUDY = Study("test", "Why?", (PLAIN, LONG), seeds=2)


def test_an_estimate_counts_what_is_left(tmp_path):
    whole = estimate(STUDY, tmp_path)
    assert (whole.runs, whole.finished, whole.epochs) == (4, 0, 2 * (3 + 6))
    assert whole.seconds > 0
    train_run(tmp_path / "a/long/seed-0", STUDY.runs(tmp_path)[1].settings)
    rest = estimate(STUDY, tmp_path, jobs=2)
    assert (rest.runs, rest.finished, rest.epochs, rest.jobs) == (4, 1, 3 + 3 + 6, 2)


def costs(*arms, root, cache="none"):
    """A step of one second an image, a forward pass of a hundred: a teacher's must be in it."""
    study = Study("t", "?", arms, 1, teacher_cache=cache)
    return estimate(study, root, measure=lambda *_: (1.0, 100.0)).seconds


def test_a_teacher_costs_its_forward_pass(tmp_path):
    kd = MethodSettings("normal_kd")
    taught = Arm("a/kd", kd, BASE, teacher="a/plain")
    shape = data_shape(BASE.data)
    plain = 3 * (shape.train + 100 * shape.validation) + 100 * shape.test
    assert costs(PLAIN, root=tmp_path) == pytest.approx(plain)
    assert costs(PLAIN, taught, root=tmp_path) == pytest.approx(2 * plain + 3 * 100 * shape.train)


def test_a_loss_that_asks_the_student_costs_a_forward_pass_more(tmp_path):
    shape = data_shape(BASE.data)
    plain = 3 * (shape.train + 100 * shape.validation) + 100 * shape.test
    for name, more in (("by_class", 0), ("average", 3 * 100 * shape.train)):
        arm = Arm("a/own", MethodSettings(f"remembering:{name}"), BASE)
        assert costs(arm, root=tmp_path) == pytest.approx(plain + more)


@pytest.mark.parametrize(
    ("partners", "step"), [("none", 1.0), ("of the class", 1.0), ("the last batch", 2.0)]
)
def test_what_is_shown_beside_an_image_is_read_and_may_be_trained_too(
    partners, step, tmp_path, monkeypatch
):
    row = Method("own", "own", "nobody", {"tfkd": "remembering:last"}, partners=partners)
    monkeypatch.setitem(METHODS, "own", row)
    data = load_data(BASE.data)
    monkeypatch.setattr("tfkd.study.estimate.measure_reading", lambda _: 3.0)
    study = Study("t", "?", (Arm("a/own", MethodSettings("own"), BASE),), 1)
    found = estimate(study, tmp_path, data={BASE.data: data}, measure=lambda *_: (1.0, 1.0))
    reading = 3.0 if partners == "none" else 6.0
    others = 4.0 * (3 * len(data.validation) + len(data.test))
    assert found.seconds == pytest.approx(3 * len(data.train) * (step + reading) + others)


def test_a_cached_teacher_costs_a_pass_for_each_view(tmp_path):
    base = replace(BASE, data=replace(BASE.data, views=2))
    plain = Arm("a/plain", MethodSettings(), base)
    kd = MethodSettings("normal_kd")
    arms = [Arm(f"a/kd-{i}", kd, base, teacher="a/plain") for i in range(3)]
    shape = data_shape(base.data)
    runs = [
        costs(plain, *some, root=tmp_path, cache=cache)
        for some in ([], arms)
        for cache in ("none", "float32")
    ]
    student = 3 * (shape.train + 100 * shape.validation) + 100 * shape.test
    assert runs[:2] == pytest.approx([student, student])
    assert runs[2] == pytest.approx(4 * student + 3 * 3 * 100 * shape.train)
    assert runs[3] == pytest.approx(4 * student + 2 * 100 * shape.train)  # all three share it


def test_sizes_of_data_that_are_not_there(monkeypatch, tmp_path):
    shape = data_shape(DataSettings("cifar100"), root=str(tmp_path))
    assert (shape.train, shape.validation, shape.test) == (45_000, 5_000, 10_000)
    assert (shape.classes, shape.channels, shape.image_size) == (100, 3, 32)
    with pytest.raises(FileNotFoundError):
        data_shape(DataSettings("folder"), root=str(tmp_path / "none"))


def test_status_of_a_study(tmp_path):
    runs = STUDY.runs(tmp_path)
    train_run(tmp_path / runs[0].name, runs[0].settings)

    class StopError(Exception):
        pass

    class Stopping(Silent):
        def epoch(self, record):
            if record.epoch == 3:
                raise StopError

    with pytest.raises(StopError):
        train_run(
            tmp_path / runs[1].name,
            runs[1].settings,
            Circumstances(checkpoint_seconds=0),
            progress=Stopping(),
        )
    plain, long = study_status(STUDY, tmp_path)
    assert (plain.name, plain.finished, plain.begun, plain.planned) == ("a/plain", 1, 0, 2)
    assert (plain.epochs_done, plain.epochs) == (3, 6)
    # Stopped in its third epoch, after the checkpoint of the second.
    assert (long.finished, long.begun, long.epochs_done, long.epochs) == (0, 1, 2, 12)
    assert long.seconds > 0


def test_a_run_of_other_settings_is_none_of_the_plan(tmp_path):
    planned = STUDY.runs(tmp_path)[0]
    other = replace(planned.settings, recipe=replace(BASE, epochs=1))
    train_run(tmp_path / planned.name, other)
    assert not is_finished(planned, tmp_path)
    assert estimate(STUDY, tmp_path, measure=lambda *_: (1.0, 1.0)).finished == 0


def test_measuring_leaves_random_numbers_and_threads_as_they_were(tmp_path):
    def states():
        return torch.get_rng_state(), random.getstate(), np.random.get_state()[1]

    threads, before = torch.get_num_threads(), states()
    own = replace(BASE, student="own_parts:mlp")
    study = Study("test", "Why?", (PLAIN, Arm("b/own", MethodSettings(), own)), seeds=1)
    assert 0 < estimate(study, tmp_path, jobs=2).seconds < math.inf
    assert torch.get_num_threads() == threads
    for one, other in zip(before, states(), strict=True):
        assert np.array_equal(one, other) if not isinstance(one, tuple) else one == other


def test_what_cannot_be_measured_is_not_known(tmp_path):
    arm = Arm("a/x", MethodSettings(), replace(BASE, student="timm/test_vit"))  # takes no 8 pixels
    assert estimate(Study("t", "?", (arm,), 1), tmp_path).seconds == math.inf


def test_reading_is_in_it_and_is_shared_by_workers(tmp_path, monkeypatch):
    data = load_data(BASE.data)
    monkeypatch.setattr("tfkd.study.estimate.measure_reading", lambda _: 3.0)
    images = 3 * (len(data.train) + len(data.validation)) + len(data.test)
    study = Study("t", "?", (PLAIN,), 1)
    for workers, each in ((0, 1.0 + 3.0), (2, 1.5), (4, 1.0)):
        found = estimate(
            study,
            tmp_path,
            data={BASE.data: data},
            workers=workers,
            measure=lambda *_: (1.0, 1.0),
        )
        assert found.seconds == pytest.approx(images * each)


def test_reading_of_files_is_measured(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(8):
            Image.new("RGB", (20, 20), (number, 0, 0)).save(tmp_path / name / f"{number}.png")
    settings = DataSettings("folder", image_size=16)
    data = load_data(settings, root=str(tmp_path))
    assert 0.0 < measure_reading(data) < 1.0
    assert measure_reading(load_data(DataSettings("digits"))) == 0.0
