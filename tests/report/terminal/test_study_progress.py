"""What a study says on the terminal while it runs."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from tfkd.data import DataSettings
from tfkd.report.terminal.study_progress import (
    Behind,
    StudyLines,
    describe,
    epochs_of,
    show_study_progress,
)
from tfkd.runs import (
    Circumstances,
    EpochRecord,
    MethodSettings,
    Metrics,
    Recipe,
    Result,
    RunSettings,
)
from tfkd.runs.contents import Samples, TrainMetrics
from tfkd.study.estimate import Estimate
from tfkd.study.plan import Arm, PlannedRun, Study
from tfkd.study.progress import Moment, StudyBeginning

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


@pytest.mark.parametrize("terminal", [False, True])
def test_a_long_remark_is_told_in_lines_of_80_columns(terminal):
    out = console(terminal=terminal)
    text = f"Left out: {', '.join(f'small_cnn method-{place}' for place in range(9))}."
    with show_study_progress(out) as progress:
        progress.remark(text)
    lines = [line.removeprefix("\x1b[2K") for line in out.file.getvalue().splitlines()]
    told = [line for line in lines if "method-" in line]
    assert len(told) == 3
    assert max(map(len, told)) <= 80
    assert " ".join(told) == text


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


def test_bars_show_which_run_is_where():
    out = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    study = Study("s", "?", (Arm("small_cnn/label_smoothing", MethodSettings(), SETTINGS.recipe),))
    name = "small_cnn/label_smoothing/seed-0"
    with show_study_progress(out) as progress:
        progress._of = epochs_of(StudyBeginning(study, Path(), {}, Circumstances(), 2))
        progress.start(3, 12)
        progress.at(name, Moment("reading the data"))
        progress.at("b" * 90, Moment("reading the data"))
        progress._bar.refresh()
        progress.at(name, Moment("", 3, 5, 10, 0.5))
        progress._bar.refresh()
        total = progress._bar.tasks[0]
        assert (total.completed, total.total) == (2.5, 12)
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.file.getvalue()))
    assert max(map(len, lines)) <= 80
    assert "  small_cnn label_smoothing seed 0: reading the data" in lines
    assert "  small_cnn label_smoothing seed 0: epoch 3/4  batch 5/10  loss 0.5000" in lines


def test_the_time_that_is_left_is_that_of_the_work(monkeypatch):
    """Runs cost what was estimated, and what others trained or went before takes no time."""
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    cost = Estimate(3, 0, 12, 1, 70.0, {"cheap": 10.0, "dear": 40.0, "other": 20.0})
    behind = Behind(12, cost)
    assert behind.clock.text() == "0:00 elapsed, 1:10 left"
    clock[0] = 50.0  # until processes have started
    behind.clock.begin()
    behind.reach("dear", 2.0 + 0.5, 4)  # resumed in the third epoch
    clock[0] += 10.0
    behind.reach("dear", 3.5, 4)  # an epoch costs 10 of the estimate, and took 10 seconds
    assert behind.clock.text() == "1:00 elapsed, 0:35 left"
    behind.finish("other", 4)
    assert behind.clock.text() == "1:00 elapsed, 0:15 left"
    assert behind.epochs == 7.5


def test_runs_of_folds_are_named_by_their_fold_and_networks_keep_their_slash():
    recipe = Recipe(data=DataSettings("digits", folds=5))
    for seed, words in ((3, "fold 3"), (7, "fold 2 again, seed 7")):
        run = PlannedRun("x", "timm/test_resnet/label_smoothing", RunSettings(recipe, seed=seed))
        assert describe(run, RESULT) == f"timm/test_resnet label_smoothing {words}: 93.75 % in 12 s"
