"""Studies: arms times seeds, read back as they were written, with other recipes."""

import json

import pytest
from msgspec.structs import replace

from tfkd.data import DataSettings
from tfkd.runs import MethodSettings, Recipe, RunDirectory, RunTeacher
from tfkd.runs.written import changed
from tfkd.study.directory import read_studies, write_study
from tfkd.study.plan import Arm, Published, Study, teachers_first
from tfkd.train import train_run
from tfkd.train.continuation import check_settings

BASE = Recipe(data=DataSettings("digits", train_size=60), epochs=100, batch_size=30)
KD = MethodSettings("de_kd")
PLAIN = Arm("a/plain", MethodSettings(), BASE)


def taught(name, epoch=None, **options):
    return Arm(name, KD, BASE, teacher="a/plain", teacher_epoch=epoch, **options)


def study(*arms, **options):
    return Study("test", "Why?", (PLAIN, *arms), **options)


def test_runs_come_seed_by_seed_with_the_teachers_snapshots(tmp_path):
    runs = study(taught("a/late", 50), taught("a/early", 1), seeds=2).runs(tmp_path)
    assert [run.name for run in runs] == [
        f"a/{name}/seed-{seed}" for seed in (0, 1) for name in ("plain", "late", "early")
    ]
    assert runs[0].save_epochs == (1, 50)
    assert runs[1].save_epochs == ()
    assert runs[4].settings.teacher == RunTeacher(run=str(tmp_path / "a/plain/seed-1"), epoch=50)
    assert {run.settings.seed for run in runs} == {0, 1}


def test_a_cache_is_for_the_runs_that_a_network_teaches(tmp_path):
    runs = study(taught("a/late"), seeds=1, teacher_cache="float16").runs(tmp_path)
    assert runs[0].settings == study(seeds=1).runs(tmp_path)[0].settings
    assert runs[1].settings.teacher == RunTeacher(
        run=str(tmp_path / "a/plain/seed-0"), cache="float16"
    )
    with pytest.raises(ValueError, match=r"`teacher_cache` .*got 'zip'"):
        study(teacher_cache="zip")


def test_a_study_survives_its_file(tmp_path):
    published = Published(70.65, sd=0.35, gain=2.27, remark="as printed")
    whole = study(taught("a/early", 1, published=published, baseline="a/plain"), remarks=("So.",))
    whole = replace(whole, teacher_cache="top-3")
    write_study(whole, tmp_path / "new")
    assert read_studies(tmp_path / "new") == [whole]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expected .*test.study.json as this program writes it: Input data was truncated"),
        ("{}", "Expected .*test.study.json .*missing required field `name`"),
        ("[1]", "Expected .*test.study.json .*Expected `object`, got `array`"),
        ('{"name": "a", "question": "?", "arms": [], "size": 1}', "unknown field `size`"),
        ('{"name": "../a", "question": "?", "arms": []}', "Expected `name` to be a relative path"),
    ],
)
def test_a_broken_plan_is_named(tmp_path, text, message):
    (tmp_path / "test.study.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_studies(tmp_path)


def test_no_plan_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no \*.study.json"):
        read_studies(tmp_path)


def test_plans_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="a/plain twice"):
        study(PLAIN)
    with pytest.raises(ValueError, match="a/none of a/early among the arms"):
        study(taught("a/early", baseline="a/none"))
    with pytest.raises(ValueError, match="`seeds`"):
        study(seeds=0)


def test_snapshots_move_with_the_epochs():
    shorter = study(taught("a/late", 50), taught("a/early", 1)).with_recipes(
        lambda recipe: changed(recipe, {"epochs": 20, "optimizer": {"learning_rate": 0.05}})
    )
    assert [arm.teacher_epoch for arm in shorter.arms] == [None, 10, 1]
    assert {arm.recipe.epochs for arm in shorter.arms} == {20}
    assert {arm.recipe.optimizer.learning_rate for arm in shorter.arms} == {0.05}


def test_a_study_may_move_with_its_runs(tmp_path):
    base = replace(BASE, epochs=1)
    small = study(taught("a/kd")).with_recipes(lambda _: base)
    before, after = tmp_path / "before", tmp_path / "elsewhere" / "after"
    for run in small.runs(before):
        train_run(before / run.name, run.settings)
    after.parent.mkdir()
    before.rename(after)
    stored = json.loads((after / "a/kd/seed-0/settings.json").read_text())
    assert stored["teacher"]["run"] == "../../plain/seed-0"
    for run in small.runs(after):
        check_settings(RunDirectory(after / run.name), run.settings)
        assert RunDirectory(after / run.name).settings() == run.settings
    # Where the teacher lies does not matter; who it is does.
    elsewhere = small.runs(tmp_path / "other")[1].settings
    check_settings(RunDirectory(after / "a/kd/seed-0"), elsewhere)
    other = replace(elsewhere, teacher=replace(elsewhere.teacher, epoch=1))
    with pytest.raises(ValueError, match=r"teacher.epoch is None there, 1 here"):
        check_settings(RunDirectory(after / "a/kd/seed-0"), other)


def test_a_circle_of_teachers_is_refused():
    with pytest.raises(ValueError, match="no circle of teachers"):
        study(Arm("a/x", KD, BASE, teacher="a/y"), Arm("a/y", KD, BASE, teacher="a/x"))


def test_teachers_come_before_those_they_teach():
    second = Arm("a/second", KD, BASE, teacher="a/first")
    first = Arm("a/first", KD, BASE, teacher="a/plain")
    names = [arm.name for arm in teachers_first((second, first, PLAIN))]
    assert names == ["a/plain", "a/first", "a/second"]
