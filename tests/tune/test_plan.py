"""What cannot be searched is refused before anything is trained."""

import pytest
from msgspec.structs import replace

from tfkd.data import DataSettings
from tfkd.runs import MethodSettings
from tfkd.runs.chosen import Chosen
from tfkd.runs.optimizers import SGD
from tfkd.tune import tune


def test_cross_entropy_is_always_among_the_methods_and_none_comes_twice(small):
    plan = replace(small.plan, methods=("LS", "cross_entropy", "label-smoothing"))
    assert plan.methods == ("cross_entropy", "label_smoothing")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trials": 0}, "`trials`"),
        ({"trials": 10_001}, "`trials` from 1 to 10000, got 10001"),
        ({"seeds": 0}, "`seeds`"),
        ({"objective": "f1"}, "`objective`"),
        ({"learning_rates": (0.3, 0.1)}, "`learning_rates` from a smaller to a larger one"),
        ({"learning_rates": (0.0, 0.1)}, "`learning_rates`"),
        ({"weight_decays": (1e-4, float("nan"))}, "`weight_decays`"),
        ({"methods": ("kd",)}, "with a teacher of their own"),
        ({"methods": ("tf_kd_regg",)}, "Did you mean tf_kd_reg"),
        ({"teacher": "own_parts:linear", "methods": ("normal_kd",)}, "other than the student"),
        ({"teacher": "own_parts:linear", "tune_teacher": True}, "other than the student"),
        ({"teacher_cache": "double"}, "`teacher_cache`"),
    ],
)
def test_a_plan_that_cannot_be_says_why(small, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(small.plan, **changes)


def test_folds_are_refused_for_each_is_tested_on_what_another_chose_by(small):
    data = DataSettings("digits", folds=5)
    with pytest.raises(ValueError, match="Expected no `folds` while settings are chosen"):
        replace(small.plan, recipe=replace(small.recipe, data=data))


def test_no_weight_decay_has_no_range_around_it(small):
    recipe = replace(small.recipe, optimizer=SGD(weight_decay=0.0))
    with pytest.raises(ValueError, match="`weight_decays` as tfkd tune takes it, as in 1e-5:1e-2"):
        replace(small.plan, recipe=recipe, weight_decays=None)


def test_two_entries_of_one_name_are_refused(small):
    own = Chosen(
        name="tf_kd_self",
        method=MethodSettings("tf_kd_self"),
        learning_rate=0.1,
        weight_decay=1e-4,
    )
    with pytest.raises(ValueError, match="got tf_kd_self twice"):
        replace(small.plan, chosen=(own,))


def test_without_a_validation_split_there_is_nothing_to_choose_by(small, tmp_path):
    data = replace(small.recipe.data, validation_fraction=0.0)
    plan = replace(small.plan, recipe=replace(small.recipe, data=data))
    with pytest.raises(ValueError, match="Expected a validation split to choose settings by"):
        tune(plan, tmp_path / "search", jobs=1)
    assert not (tmp_path / "search").exists()
