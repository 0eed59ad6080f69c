"""What runs tell of themselves from where they are trained."""

import pytest

from tfkd.data import DataSettings
from tfkd.runs import MethodSettings, Recipe, RunSettings, RunTeacher
from tfkd.study.execute import execute
from tfkd.study.executors import run_trainer
from tfkd.study.plan import PlannedRun
from tfkd.study.progress import SilentStudy

RECIPE = Recipe(data=DataSettings("digits", train_size=60), epochs=2, batch_size=20)


class Told(SilentStudy):
    def __init__(self):
        self.moments, self.epochs = [], []

    def at(self, name, moment):
        self.moments.append((name, moment))

    def epoch(self, name, record):
        self.epochs.append((name, record))


@pytest.mark.parametrize("jobs", [1, 2])
def test_where_a_run_is_comes_from_its_process(jobs, tmp_path, monkeypatch):
    monkeypatch.setattr(run_trainer, "SECONDS_BETWEEN_MOMENTS", 0.0)  # in this process
    plain = PlannedRun("plain", "x", RunSettings(RECIPE))
    teacher = RunTeacher(run=str(tmp_path / "plain"), cache="float32")
    settings = RunSettings(RECIPE, MethodSettings("normal_kd"), teacher)
    taught = PlannedRun("taught", "x", settings, after="plain")
    told = Told()
    execute([plain, taught], tmp_path, jobs=jobs, progress=told)
    assert [(name, record.epoch) for name, record in told.epochs] == [
        (name, epoch) for name in ("plain", "taught") for epoch in (1, 2)
    ]
    of_plain = [moment for name, moment in told.moments if name == "plain"]
    doing = [moment.doing for moment in of_plain if moment.doing]
    assert doing[:2] == ["reading the data", "making small_cnn"]
    assert doing[-1] == "measuring the test split"
    assert any(moment.doing.startswith("asking the teacher") for _, moment in told.moments)
    training = [moment for moment in of_plain if moment.batches]
    assert all(moment.batches == 3 and moment.batch <= 3 for moment in training)
    if jobs == 1:
        places = [(moment.epoch, moment.batch) for moment in training]
        assert places == [(1, 0), *((epoch, batch) for epoch in (1, 2) for batch in (1, 2, 3))]
        last, record = training[-1].loss, told.epochs[1][1]
        assert last == pytest.approx(record.train_loss)  # of batches that are all of one size
