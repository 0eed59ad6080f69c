"""Runs handed to a Ray of this machine."""

import sys

import pytest
from msgspec.structs import replace
from study_progress import Recording

from tfkd.data import DataSettings
from tfkd.runs import MethodSettings, Recipe, RunDirectory, RunSettings, RunTeacher
from tfkd.study.execute import RunsFailedError, execute
from tfkd.study.plan import PlannedRun

BASE = Recipe(data=DataSettings("digits", train_size=60), epochs=2, batch_size=30)


# Ray 2.40 ends the processes of its cluster without waiting for them, and leaves its logs open.
@pytest.mark.filterwarnings(r"ignore:unclosed file <_io\.\w+ name='[^']*/ray/:ResourceWarning")
@pytest.mark.filterwarnings(r"ignore:subprocess \d+ is still running:ResourceWarning")
def test_a_study_runs_on_ray(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.chdir(tmp_path)
    root = tmp_path.relative_to(tmp_path)  # tasks know where relative paths are meant from
    teacher = RunTeacher(run=str(root / "plain"))
    taught = RunSettings(BASE, MethodSettings("normal_kd"), teacher)
    bad = RunSettings(replace(BASE, student="plain_cnn", batch_size=1))
    runs = [
        PlannedRun("taught", "x", taught, after="plain"),
        PlannedRun("plain", "x", RunSettings(BASE)),
        # Batch norm cannot train on one sample.
        PlannedRun("bad", "x", bad),
    ]
    progress = Recording()
    why = r"Expected `batch_size` of at least 2, got 1: [^\n]*$"
    message = rf"1 of 3 runs failed:\n  bad: ValueError: {why}"
    with pytest.raises(RunsFailedError, match=message):
        execute(runs, root, jobs=2, progress=progress, executor="ray")
    assert progress.started == (3, 6)
    assert progress.done == ["plain", "taught"]
    assert sorted(progress.epochs) == [("plain", 1), ("plain", 2), ("taught", 1), ("taught", 2)]
    assert RunDirectory(tmp_path / "taught").result().epochs == 2
    again = Recording()
    execute(runs[:2], root, jobs=None, progress=again, executor="ray")
    assert (again.done, again.epochs) == ([], [])


def test_a_missing_ray_is_answered_with_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install (-e )?"(tfkd|\.)\[ray\]"'):
        execute(
            [PlannedRun("plain", "x", RunSettings(BASE))],
            tmp_path,
            jobs=1,
            progress=Recording(),
            executor="ray",
        )
