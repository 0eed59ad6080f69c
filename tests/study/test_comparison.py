"""The main job: its plan, its runs side by side, its table and what it says."""

import csv
import dataclasses
import io
import json
import math

import pytest
from rich.console import Console

from tfkd.data import DataSettings
from tfkd.report.table import print_comparison
from tfkd.study.comparison import run_comparison
from tfkd.study.comparison_plan import METHODS, plan_comparison
from tfkd.study.execute import RunsFailedError, execute
from tfkd.study.plan import PlannedRun, in_order
from tfkd.study.summary import conclude, summarise_comparison
from tfkd.train import RunSettings, TeacherSettings

BASE = RunSettings(data=DataSettings("digits", train_size=60), epochs=1, batch_size=30)


class Recording:
    """Keeps what a study reports."""

    def __init__(self):
        self.done, self.epochs = [], []

    def start(self, runs, epochs):
        self.started = (runs, epochs)

    def epoch(self, name, record):
        self.epochs.append((name, record["epoch"]))

    def finished(self, run, result):
        self.done.append(run.name)


def plan(tmp_path, **options):
    options = {"teacher": "wide_cnn", "methods": list(METHODS), "seeds": 2} | options
    return {run.name: run for run in plan_comparison(BASE, root=tmp_path, **options)}


def test_every_method_has_its_teacher(tmp_path):
    runs = plan(tmp_path)
    assert len(runs) == 2 * (6 + 2)
    taught = {name: run.after for name, run in runs.items() if run.after and "seed-1" in name}
    assert taught == {
        "small_cnn/tf_kd_self/seed-1": "small_cnn/cross_entropy/seed-1",
        "small_cnn/normal_kd/seed-1": "wide_cnn/cross_entropy/seed-1",
        "small_cnn/de_kd/seed-1": "wide_cnn/cross_entropy/seed-1",
        "wide_cnn/re_kd/seed-1": "small_cnn/cross_entropy/seed-1",
    }
    defective = runs["small_cnn/de_kd/seed-0"].settings
    assert defective.teacher == TeacherSettings(
        str(tmp_path / "wide_cnn/cross_entropy/seed-0"), epoch=1
    )
    assert runs["wide_cnn/cross_entropy/seed-0"].settings.save_epochs == (1,)


def test_the_methods_of_a_seed_differ_in_nothing_but_the_method(tmp_path):
    for run in plan(tmp_path).values():
        seed = int(run.name.rsplit("-", 1)[1])
        plain = dataclasses.replace(
            run.settings, method=BASE.method, teacher=None, student="small_cnn", save_epochs=()
        )
        data = dataclasses.replace(BASE.data, split_seed=seed)
        assert plain == dataclasses.replace(BASE, data=data, seed=seed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["magic"]}, "`methods`.*'magic'"),
        ({"seeds": 0}, "`seeds` of at least 1, got 0"),
        ({"teacher": "small_cnn"}, "`teacher` other than the student"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        plan(tmp_path, **options)


def test_teachers_come_first():
    first = PlannedRun("b", "x", BASE)
    second = PlannedRun("a", "x", BASE, after="b")
    assert in_order([second, first]) == [first, second]
    with pytest.raises(ValueError, match="a wait"):
        in_order([second])


def test_a_comparison_goes_on_where_it_stopped(tmp_path):
    options = {
        "teacher": "wide_cnn",
        "methods": ["tf_kd_self", "de_kd"],
        "out": tmp_path,
        "workers": 0,
    }
    first = Recording()
    records = run_comparison(BASE, seeds=1, jobs=2, progress=first, **options)
    assert first.started == (4, 4)
    assert len(first.done) == len(first.epochs) == 4
    assert first.done.index("wide_cnn/cross_entropy/seed-0") < first.done.index(
        "small_cnn/de_kd/seed-0"
    )
    again = Recording()
    assert run_comparison(BASE, seeds=1, jobs=1, progress=again, **options) == records
    assert again.done == []
    more = Recording()
    run_comparison(BASE, seeds=2, jobs=1, progress=more, **options)
    assert len(more.done) == 4
    assert all(name.endswith("seed-1") for name in more.done)

    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    written = {(r["method"], r["student"], r["seed"]): r for r in map(json.loads, lines)}
    assert len(written) == 8
    taught = written["de_kd", "small_cnn", 0]
    assert taught["teacher"] == "wide_cnn@1"
    # With one epoch the snapshot after the first is the final network.
    assert taught["teacher_accuracy"] == written["cross_entropy", "wide_cnn", 0]["accuracy"]
    assert taught["settings"]["teacher"]["epoch"] == 1
    table = list(csv.DictReader(io.StringIO((tmp_path / "results.csv").read_text())))
    assert len(table) == 8
    assert float(table[0]["nll"]) == written["cross_entropy", "small_cnn", 0]["nll"]


def test_a_failed_run_costs_no_other(tmp_path):
    runs = [
        PlannedRun("bad", "x", dataclasses.replace(BASE, student="plain_cnn", batch_size=1)),
        PlannedRun(
            "taught",
            "x",
            dataclasses.replace(
                BASE,
                method=METHODS["normal_kd"].settings,
                teacher=TeacherSettings(str(tmp_path / "bad")),
            ),
            after="bad",
        ),
        PlannedRun("good", "x", BASE),
    ]
    progress = Recording()
    # Batch norm cannot train on one sample.
    with pytest.raises(RunsFailedError, match=r"(?s)2 of 3 runs failed.*bad.*its teacher bad"):
        execute(runs, tmp_path, jobs=1, workers=0, progress=progress)
    assert progress.done == ["good"]


def record(method, seed, accuracy, student="small_cnn", teacher=None):
    return {
        "method": method,
        "student": student,
        "teacher": teacher,
        "teacher_accuracy": 0.5 if teacher else None,
        "seed": seed,
        "accuracy": accuracy,
        "nll": 0.5,
        "ece": 0.02,
        "aurc": 0.01,
        "seconds": 12.0,
    }


def comparison(differences, baseline=0.9):
    records = []
    for seed, difference in enumerate(differences):
        records.append(record("cross_entropy", seed, baseline + 0.01 * (seed % 2)))
        records.append(
            record("de_kd", seed, baseline + 0.01 * (seed % 2) + difference, teacher="wide_cnn@1")
        )
    return summarise_comparison(records)


def test_differences_are_paired_by_seed():
    baseline, taught = comparison([0.01, 0.03])
    assert baseline.difference is None
    # 90 and 91 percent; then 91 and 94.
    assert baseline.accuracy.mean == pytest.approx(90.5)
    assert baseline.accuracy.sd == pytest.approx(math.sqrt(0.5))
    assert taught.accuracy.mean == pytest.approx(92.5)
    assert taught.difference.mean == pytest.approx(2.0)
    assert taught.difference.sd == pytest.approx(math.sqrt(2))
    assert taught.teacher_accuracy == pytest.approx(50.0)


def test_what_may_be_concluded():
    assert "Nothing can be concluded yet" in conclude(comparison([0.01]))
    few = conclude(comparison([0.01, 0.012, 0.011]))
    assert "Nothing can be concluded yet" in few
    assert "seeds would show it" in few
    clear = conclude(comparison([0.01 + 0.0001 * i for i in range(11)]))
    assert "De-KD on small_cnn: +1.05 points" in clear
    none = conclude(comparison([0.01, -0.01, 0.012, -0.011, 0.009, -0.01, 0.01, -0.012]))
    assert "No method can be told from cross-entropy" in none


@pytest.mark.parametrize("differences", [[0.01], [0.01, -0.012, 0.04]])
def test_the_table_fits_in_80_columns(differences):
    buffer = io.StringIO()
    print_comparison(comparison(differences), Console(file=buffer, width=80))
    printed = buffer.getvalue()
    assert max(map(len, printed.splitlines())) <= 80
    assert "…" not in printed
    assert [line.split()[-1] for line in printed.splitlines() if "0.500" in line] == ["12", "12"]
    for text in ("cross-entropy", "De-KD", "wide_cnn@1", "50.0", "0.500", "2.0", "1.00"):
        assert text in printed
