"""Contrasts as they are typed, and those of a plan that is joined with the one before."""

import pytest

from tfkd.data import DataSettings
from tfkd.method_table import METHODS, Method
from tfkd.runs import MethodSettings, Recipe
from tfkd.runs.chosen import Chosen
from tfkd.study.comparison import comparison
from tfkd.study.contrasts import with_contrasts
from tfkd.study.directory import write_study
from tfkd.study.joined import joined
from tfkd.study.plan import Contrast
from tfkd.train import train_run

BASE = Recipe(data=DataSettings("digits", train_size=60), epochs=1, batch_size=30)


def plan(*methods, chosen=()):
    return comparison(BASE, teacher="wide_cnn", methods=methods or None, seeds=1, chosen=chosen)


def pairs(study, *texts):
    contrasts = with_contrasts(study, texts, None).contrasts
    return [(it.arm, it.against) for it in contrasts]


def test_names_of_methods_and_of_arms_are_understood():
    study = plan()
    assert pairs(study, "tf_kd_reg:ls", "re-kd:cross_entropy", "wide_cnn/re_kd:ce") == [
        ("small_cnn/tf_kd_reg", "small_cnn/label_smoothing"),
        ("wide_cnn/re_kd", "wide_cnn/cross_entropy"),
        ("wide_cnn/re_kd", "wide_cnn/cross_entropy"),
    ]
    assert pairs(study) == []
    assert with_contrasts(study, (), None) == study
    assert with_contrasts(study, (), 0.5).worthwhile == 0.5


def test_a_method_of_ones_own_has_a_colon_itself(monkeypatch):
    own = Method("my.losses:mine", "mine", "nobody", {"tfkd": "tfkd.methods:label_smoothing"})
    monkeypatch.setitem(METHODS, own.name, own)
    study = plan("my.losses:mine", "ols")
    assert pairs(study, "my.losses:mine:ols", "ols:my.losses:mine") == [
        ("small_cnn/my.losses.mine", "small_cnn/online_label_smoothing"),
        ("small_cnn/online_label_smoothing", "small_cnn/my.losses.mine"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tf_kd_reg", "`contrasts` as ARM:OTHER"),
        ("tf_kd_rag:ls", "got 'tf_kd_rag'. Did you mean tf_kd_reg?"),
        ("tf_kd_reg:smoothing", "an arm of the study in `contrasts`, one of small_cnn/cross_"),
        ("ls:label_smoothing", "two arms in 'ls:label_smoothing' of `contrasts`, got one twice"),
    ],
)
def test_what_is_no_contrast_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        pairs(plan(), text)


def test_of_several_arms_one_must_be_named():
    chosen = [
        Chosen(name=name, method=MethodSettings(method), learning_rate=0.1, weight_decay=1e-4)
        for name, method in (("weak", "tf_kd_reg"), ("strong", "tf_kd_reg"), ("ls", "max_sup"))
    ]
    study = plan(chosen=chosen)
    assert pairs(study, "weak:strong", "ls:weak")[1] == ("small_cnn/ls", "small_cnn/weak")
    with pytest.raises(ValueError, match="one arm for 'tf_kd_reg' in `contrasts`, got small_cnn/w"):
        pairs(study, "tf_kd_reg:ls")


def test_the_smallest_difference_worth_having_is_above_0():
    with pytest.raises(ValueError, match="`worthwhile` to be positive"):
        with_contrasts(plan(), (), 0.0)


def test_what_was_claimed_before_is_claimed_still(tmp_path):
    before = with_contrasts(plan("ls", "tf_kd_reg"), ["tf_kd_reg:ls", "ls:ce"], None)
    write_study(before, tmp_path)
    for run in before.runs(tmp_path):
        train_run(tmp_path / run.name, run.settings)
    study, _ = joined(plan("max_sup"), tmp_path)
    assert study.claims == (
        Contrast("small_cnn/max_sup", "small_cnn/cross_entropy"),
        Contrast("small_cnn/tf_kd_reg", "small_cnn/label_smoothing"),
        Contrast("small_cnn/label_smoothing", "small_cnn/cross_entropy"),
    )
