"""A plan beside the one that its directory had."""

import pytest
from msgspec.structs import replace

from tfkd.data import DataSettings
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.directory import write_study
from tfkd.study.joined import joined
from tfkd.study.plan import Arm, Study
from tfkd.train import train_run

BASE = Recipe(data=DataSettings("digits", train_size=60), epochs=1, batch_size=30)
PLAIN = Arm("a/plain", MethodSettings(), BASE)
SCALED = Arm(
    "a/scaled",
    MethodSettings("cross_entropy", numbers={"scale": 0.5}),
    BASE,
    control="scaled",
    baseline="a/plain",
    control_of=("a/reg", "a/smooth"),
)


def arm(name, method, **said):
    return Arm(name, MethodSettings(method), BASE, baseline="a/plain", **said)


REG, SMOOTH = arm("a/reg", "tf_kd_reg"), arm("a/smooth", "label_smoothing")
SELF = arm("a/self", "tf_kd_self", teacher="a/other")
OTHER = Arm("a/other", MethodSettings(), replace(BASE, epochs=2))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A study of which all is finished but one arm of two, and one whose teacher is begun."""
    root = tmp_path_factory.mktemp("joined") / "study"
    study = Study("test", "Why?", (PLAIN, SCALED, REG, SMOOTH, OTHER, SELF), seeds=1)
    write_study(study, root)
    for run in study.runs(root):
        if run.arm in ("a/plain", "a/scaled", "a/reg", "a/other"):
            train_run(root / run.name, run.settings)
    smooth = next(run for run in study.runs(root) if run.arm == "a/smooth")
    (root / smooth.name).mkdir(parents=True)
    (root / smooth.name / "metrics.jsonl").touch()
    return root


def test_what_is_finished_stays_and_what_is_begun_is_told(root):
    asked = Study("test", "Why?", (PLAIN, replace(SCALED, control_of=())), seeds=1)
    study, remarks = joined(asked, root)
    assert [own.name for own in study.arms] == ["a/plain", "a/scaled", "a/reg", "a/other"]
    assert study.arm("a/scaled").control_of == ("a/reg",)
    assert len(remarks) == 2
    assert remarks[0] == "Finished before, and compared as well: a reg, a other."
    assert "neither trained nor compared now: a smooth." in remarks[1]


def test_with_more_seeds_it_is_not_finished(root):
    study, remarks = joined(Study("test", "Why?", (PLAIN,), seeds=2), root)
    assert [own.name for own in study.arms] == ["a/plain"]
    assert "a scaled, a reg, a smooth, a other" in remarks[0]


def test_without_a_plan_or_with_the_same_it_is_as_asked(root, tmp_path):
    whole = Study("test", "Why?", (PLAIN, SCALED, REG, SMOOTH, OTHER, SELF), seeds=1)
    assert joined(whole, root) == (whole, [])
    assert joined(whole, tmp_path) == (whole, [])
    (tmp_path / "test.study.json").write_text("{")
    assert joined(whole, tmp_path) == (whole, [])
