"""A comparison at settings that were chosen before: an arm of each entry, as it was chosen."""

import pytest
from msgspec.structs import replace

from tfkd.data import DataSettings
from tfkd.runs import MethodSettings, Recipe
from tfkd.runs.chosen import Chosen, read_chosen, write_chosen
from tfkd.study.comparison import comparison

BASE = Recipe(data=DataSettings("digits", train_size=60), epochs=1, batch_size=30)


def entry(name, method=None, rate=0.02, decay=1e-4, **numbers):
    return Chosen(
        name=name,
        method=MethodSettings(method or name, numbers=numbers),
        learning_rate=rate,
        weight_decay=decay,
    )


PLAIN = entry("cross_entropy", rate=0.03)
CHOSEN = (
    entry("tf_kd_reg-weak", "tf_kd_reg", rate=0.3, alpha=0.1),
    PLAIN,
    entry("tf_kd_reg-strong", "tf_kd_reg", rate=0.2, alpha=0.5),
    entry("normal_kd", decay=2e-3, alpha=0.7, temperature=4.0),
    entry("teacher", "cross_entropy", rate=0.007, decay=3e-3),
    entry("re_kd", rate=0.04),
)


def plan(chosen=CHOSEN, methods=None, **options):
    options = {"teacher": "wide_cnn", "seeds": 2} | options
    return comparison(BASE, methods=methods, chosen=chosen, **options)


def rates(study):
    return {
        arm.name: (arm.recipe.optimizer.learning_rate, arm.recipe.optimizer.weight_decay)
        for arm in study.arms
    }


def test_every_entry_is_an_arm_at_what_was_chosen_for_it(tmp_path):
    write_chosen(CHOSEN, tmp_path / "chosen.json")
    study = plan(read_chosen(tmp_path / "chosen.json"))
    assert rates(study) == {
        "small_cnn/cross_entropy": (0.03, 1e-4),
        "small_cnn/tf_kd_reg-weak": (0.3, 1e-4),
        "small_cnn/tf_kd_reg-strong": (0.2, 1e-4),
        "small_cnn/normal_kd": (0.02, 2e-3),
        "wide_cnn/cross_entropy": (0.007, 3e-3),
        "wide_cnn/re_kd": (0.04, 1e-4),
    }
    assert study.arm("small_cnn/tf_kd_reg-strong").method.numbers["alpha"] == 0.5
    assert study.arm("small_cnn/normal_kd").teacher == "wide_cnn/cross_entropy"
    assert study.arm("wide_cnn/re_kd").teacher == "small_cnn/cross_entropy"
    assert {claim.against for claim in study.claims} == {
        "small_cnn/cross_entropy",
        "wide_cnn/cross_entropy",
    }
    changed = [replace(arm.recipe, optimizer=BASE.optimizer) for arm in study.arms]
    assert all(BASE.for_student(own.student) == own for own in changed)
    assert len(study.remarks) == 1


def test_what_was_not_chosen_is_said():
    study = plan(CHOSEN[:1], ["tf_kd_reg", "max_sup", "normal_kd"])
    rate = BASE.optimizer.learning_rate
    assert {name: rate for name, (rate, _) in rates(study).items()} == {
        "small_cnn/cross_entropy": rate,
        "small_cnn/tf_kd_reg-weak": 0.3,
        "small_cnn/normal_kd": rate,
        "wide_cnn/cross_entropy": rate,
        "small_cnn/max_sup": rate,
    }
    said = " ".join(study.remarks)
    assert "Nothing was chosen for cross-entropy" in said
    assert "Nothing was chosen for wide_cnn, which teaches" in said
    assert "Not tuned, at the defaults with cross-entropy's learning rate" in said
    assert "normal KD, MaxSup." in said


def test_methods_select_entries_by_their_names_or_methods_and_others_take_cross_entropys_rate():
    study = plan(methods=["tf_kd_reg-weak", "ls", "born-again"])
    assert rates(study) == {
        "small_cnn/cross_entropy": (0.03, 1e-4),
        "small_cnn/tf_kd_reg-weak": (0.3, 1e-4),
        "small_cnn/label_smoothing": (0.03, 1e-4),
        "small_cnn/born_again": (0.03, 1e-4),
    }
    both = plan(methods=["tf_kd_reg"])
    assert [arm.name.rpartition("/")[2] for arm in both.arms[1:]] == [
        "tf_kd_reg-weak",
        "tf_kd_reg-strong",
    ]


def test_generations_keep_what_was_chosen():
    study = plan((PLAIN, entry("again", "born_again", rate=0.5)), generations=2)
    assert rates(study)["small_cnn/again-2"] == (0.5, 1e-4)
    assert study.arm("small_cnn/again-2").teacher == "small_cnn/again"


def test_of_several_of_cross_entropy_the_first_is_what_others_are_compared_with():
    study = plan((entry("slow", "cross_entropy"), PLAIN, entry("label_smoothing")))
    assert [(it.arm, it.against) for it in study.claims] == [
        ("small_cnn/cross_entropy", "small_cnn/slow"),
        ("small_cnn/label_smoothing", "small_cnn/slow"),
    ]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ((entry("teacher", "label_smoothing"),), "the entry teacher of `chosen` to be of cross_e"),
        ((entry("cross_entropy", "label_smoothing"),), "one arm called small_cnn/cross_entropy"),
        ((entry("kd", "knowledge_distillation"),), "`methods` with a teacher of their own"),
    ],
)
def test_entries_that_do_not_fit_are_refused(chosen, message):
    with pytest.raises(ValueError, match=message):
        plan(chosen)
