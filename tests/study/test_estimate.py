"""What a study costs, and how far it is."""

import pytest
from msgspec.structs import replace

from tfkd.data import DataSettings
from tfkd.runs import Circumstances, MethodSettings, Recipe
from tfkd.study.estimate import estimate
from tfkd.study.plan import Arm, Study
from tfkd.study.speed import data_shape
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
