"""What a study says on the terminal while it runs."""

import io

import pytest
from rich.console import Console

from tfkd.report.terminal.study_progress import StudyLines, show_study_progress
from tfkd.runs import EpochRecord, Metrics, Recipe, Result, RunSettings
from tfkd.runs.contents import Samples, TrainMetrics
from tfkd.study.plan import PlannedRun

SETTINGS = RunSettings(Recipe(epochs=4), seed=3)
RUN = PlannedRun("a/seed-3", "small_cnn/label_smoothing", SETTINGS)
OTHER = PlannedRun("b/seed-3", "small_cnn/tf_kd_reg", SETTINGS)
RESULT = Result(
    test=Metrics(accuracy=0.9375, nll=0.1, ece=0.1, brier=0.1, aurc=0.1),
    validation=None,
    train=TrainMetrics(0.1, 1.0),
    epochs=4,
    seconds=12.4,
    samples=Samples(1, 0, 1),
    parameters=1,
)
LINE = "small_cnn label_smoothing seed 3: 93.75 % in 12 s"


def record(epoch):
    return EpochRecord(epoch, 0.1, 0.5, 0.9, None, None, 1.0)


def console(*, terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)


def test_lines_say_what_is_done(monkeypatch):
    out = console(terminal=False)
    with show_study_progress(out) as progress:
        progress.start(2, 8)
        progress.epoch("a/seed-3", record(1))
        progress.finished(RUN, RESULT)
        progress.finished(OTHER, RESULT)
    assert out.file.getvalue().splitlines() == [
        "2 runs to do, 8 epochs together",
        f"[1/2] {LINE}",
        "[2/2] small_cnn tf_kd_reg seed 3: 93.75 % in 12 s",
    ]


def test_lines_say_now_and_then_how_long_it_takes(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    out = console(terminal=False)
    progress = StudyLines(out)
    progress.start(2, 8)
    for seconds, name, epoch in [
        (30, "a/seed-3", 3),  # resumed after its second epoch
        (60, "a/seed-3", 4),
        (90, "b/seed-3", 1),
        (120, "b/seed-3", 2),
    ]:
        clock[0] = seconds
        progress.epoch(name, record(epoch))
    # Two epochs are left, and each has taken half a minute.
    assert out.file.getvalue().splitlines()[1:] == [
        "a seed 3: epoch 4; 4 of 8 epochs, 1:00 elapsed, 2:00 left",
        "b seed 3: epoch 2; 6 of 8 epochs, 2:00 elapsed, 1:00 left",
    ]


@pytest.mark.parametrize("epochs", [(1, 2, 3, 4), (3, 4), (1, 2, 1, 2, 3, 4), ()])
def test_the_bar_counts_epochs_however_a_run_came_to_its_end(epochs):
    out = console(terminal=True)
    with show_study_progress(out) as progress:
        progress.start(2, 8)
        for epoch in epochs:
            progress.epoch("a/seed-3", record(epoch))
        progress.finished(RUN, RESULT)
        [task] = progress._bar.tasks
        assert (task.completed, task.total) == (4, 8)
    text = out.file.getvalue()
    assert LINE in text
    assert "1 of 2 runs" in text
