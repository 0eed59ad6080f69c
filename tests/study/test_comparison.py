"""The main job: its plan, and its runs side by side."""

import csv
import io
import json

import pytest
from msgspec.structs import replace
from study_progress import Recording

from tfkd.data import DataSettings
from tfkd.method_table import METHODS, Method
from tfkd.runs import MethodSettings, Recipe, RunSettings, RunTeacher
from tfkd.study.applicable import applicable
from tfkd.study.comparison import COMPARED, comparison
from tfkd.study.execute import RunsFailedError, execute
from tfkd.study.plan import PlannedRun
from tfkd.study.run import run_study

OWN = {"tfkd": "remembering:last"}
BASE = Recipe(data=DataSettings("digits", train_size=60), epochs=1, batch_size=30)


def plan(tmp_path, **options):
    options = {"teacher": "wide_cnn", "methods": COMPARED, "seeds": 2} | options
    return {run.name: run for run in comparison(BASE, **options).runs(tmp_path)}


def test_every_method_has_its_teacher(tmp_path):
    runs = plan(tmp_path)
    assert len(runs) == 2 * (len(COMPARED) + 1)
    taught = {name: run.after for name, run in runs.items() if run.after and "seed-1" in name}
    assert (
        taught.items()
        >= {
            "small_cnn/tf_kd_self/seed-1": "small_cnn/cross_entropy/seed-1",
            "small_cnn/normal_kd/seed-1": "wide_cnn/cross_entropy/seed-1",
            "small_cnn/de_kd/seed-1": "wide_cnn/cross_entropy/seed-1",
            "wide_cnn/re_kd/seed-1": "small_cnn/cross_entropy/seed-1",
        }.items()
    )
    defective = runs["small_cnn/de_kd/seed-0"].settings
    assert defective.teacher == RunTeacher(
        run=str(tmp_path / "wide_cnn/cross_entropy/seed-0"), epoch=1
    )
    assert runs["wide_cnn/cross_entropy/seed-0"].save_epochs == (1,)


def test_short_names_plan_the_same_study():
    full = ("online_label_smoothing", "ps_kd", "decoupled_kd")
    plans = [
        comparison(BASE, teacher="wide_cnn", methods=methods, seeds=1)
        for methods in (full, ("OLS", "ps-kd", "dkd"), (*full, "ols"))
    ]
    assert plans[0] == plans[1] == plans[2]


def test_the_methods_of_a_seed_differ_in_nothing_but_the_method(tmp_path):
    for run in plan(tmp_path).values():
        seed = int(run.name.rsplit("-", 1)[1])
        recipe = replace(run.settings.recipe, student="small_cnn")
        plain = replace(run.settings, recipe=recipe, method=MethodSettings(), teacher=None)
        assert plain == RunSettings(BASE, seed=seed)


def test_methods_without_a_larger_network_need_none(tmp_path):
    runs = plan(tmp_path, teacher="small_cnn", methods=["label_smoothing", "tf_kd_self"])
    assert {run.settings.recipe.student for run in runs.values()} == {"small_cnn"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["magic"]}, "`method` to be .*'magic'"),
        ({"methods": ["knowledge_distillation"]}, "`methods` with a teacher of their own"),
        ({"seeds": 0}, "`seeds` from 1 to 10000, got 0"),
        ({"teacher": "small_cnn"}, "`teacher` other than the student"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        plan(tmp_path, **options)


def test_all_methods_are_those_that_apply_and_the_others_are_named_with_the_reason(monkeypatch):
    of_all = {name for name, row in METHODS.items() if row.taught_by != "any"}
    found, left_out = applicable(BASE, teacher="wide_cnn")
    assert set(found) == of_all
    assert len(left_out) == 1  # what is taught by any network, and named by none of the study
    assert left_out[0].startswith("knowledge_distillation is left out: with the larger network")
    found, left_out = applicable(BASE, teacher=BASE.student)
    assert {"cross_entropy", "tf_kd_self"} <= set(found)
    assert not {"normal_kd", "re_kd", "de_kd"} & set(found)
    assert len(found) + len(left_out) == len(METHODS)
    assert any(
        text.startswith("normal_kd is left out. Expected a `teacher` other than the student")
        for text in left_out
    )
    monkeypatch.setitem(METHODS, "last", Method("last", "x", "nobody", OWN))
    monkeypatch.setitem(METHODS, "open", Method("open", "x", "any", OWN))
    mixed, weighted = replace(BASE, mixup=0.2), replace(BASE, class_weights="balanced")
    for recipe, reason in ((mixed, "no `mixup`"), (weighted, "`class_weights` none")):
        found, left_out = applicable(recipe, teacher="wide_cnn")
        assert "last" not in found
        assert set(COMPARED) <= set(found)
        assert any(text.startswith(f"last is left out. Expected {reason}") for text in left_out)
        assert all(text.count("Expected") <= 1 for text in left_out)
    found, left_out = applicable(mixed, teacher="wide_cnn", teacher_cache="float32")
    assert set(found) & set(COMPARED) == {"cross_entropy", "label_smoothing", "tf_kd_reg"}
    assert any("tf_kd_self is left out. Expected no `teacher_cache`" in text for text in left_out)


def test_a_comparison_goes_on_where_it_stopped(tmp_path):
    def run(seeds, jobs, progress):
        methods = ["tf_kd_self", "de_kd"]
        study = comparison(BASE, teacher="wide_cnn", methods=methods, seeds=seeds)
        return run_study(study, tmp_path, jobs=jobs, progress=progress)

    first = Recording()
    records = run(1, 2, first)
    assert first.started == (4, 4)
    assert len(first.done) == len(first.epochs) == 4
    assert first.done.index("wide_cnn/cross_entropy/seed-0") < first.done.index(
        "small_cnn/de_kd/seed-0"
    )
    again = Recording()
    assert run(1, 1, again) == records
    assert again.done == []
    more = Recording()
    run(2, 1, more)
    assert len(more.done) == 4
    assert all(name.endswith("seed-1") for name in more.done)

    lines = (tmp_path / "compare.jsonl").read_text().splitlines()
    written = {(r["method"], r["student"], r["seed"]): r for r in map(json.loads, lines)}
    assert len(written) == 8
    taught = written["de_kd", "small_cnn", 0]
    assert taught["teacher"] == "wide_cnn@1"
    # With one epoch the snapshot after the first is the final network.
    assert taught["teacher_accuracy"] == written["cross_entropy", "wide_cnn", 0]["accuracy"]
    assert taught["settings"]["teacher"]["epoch"] == 1
    assert taught["settings"]["teacher"]["run"] == "wide_cnn/cross_entropy/seed-0"
    table = list(csv.DictReader(io.StringIO((tmp_path / "compare.csv").read_text())))
    assert len(table) == 8
    assert float(table[0]["nll"]) == written["cross_entropy", "small_cnn", 0]["nll"]


def test_a_failed_run_costs_no_other(tmp_path):
    bad = replace(BASE, student="plain_cnn", batch_size=1)
    teacher = RunTeacher(run=str(tmp_path / "bad"))
    runs = [
        PlannedRun("bad", "x", RunSettings(bad)),
        PlannedRun(
            "taught",
            "x",
            RunSettings(BASE, MethodSettings("normal_kd"), teacher),
            after="bad",
        ),
        PlannedRun("good", "x", RunSettings(BASE)),
    ]
    progress = Recording()
    # Batch norm cannot train on one sample.
    with pytest.raises(RunsFailedError, match=r"(?s)2 of 3 runs failed.*bad.*its teacher bad"):
        execute(runs, tmp_path, jobs=1, progress=progress)
    assert progress.done == ["good"]
