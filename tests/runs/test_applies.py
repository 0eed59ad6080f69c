"""What a loss does not take is refused where a run is said, in the loss's own words."""

import pytest
import torch
from msgspec.structs import replace

from tfkd.data import DataSettings
from tfkd.method_table.rows_of_tf_kd import ROWS
from tfkd.runs import MethodSettings, Recipe, RunSettings, RunTeacher

RECIPE = Recipe(data=DataSettings("digits"))


def run(method, **recipe):
    return RunSettings(replace(RECIPE, **recipe), MethodSettings(f"remembering:{method}"))


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_a_loss_that_takes_no_mixtures_refuses_them_beforehand(name):
    message = rf"no `{name}` for the method remembering:last, got 0.2, .* that are class indices"
    with pytest.raises(ValueError, match=message):
        run("last", **{name: 0.2})
    assert run("last", **{name: 0.0}).recipe == RECIPE
    assert run("scheduled", **{name: 0.2}).method.name == "remembering:scheduled"


def test_a_loss_that_fails_otherwise_is_left_to_training():
    # Its teacher looks its answer up by labels, which raises an `IndexError` of mixtures.
    assert run("by_class", mixup=0.2).recipe.mixup == 0.2


def test_a_loss_without_weights_refuses_class_weights():
    with pytest.raises(ValueError, match="`class_weights` none for remembering:last"):
        run("last", class_weights="balanced")
    assert run("both", class_weights="balanced").recipe.class_weights == "balanced"


def test_asking_a_loss_draws_nothing():
    before = torch.get_rng_state()
    run("average", cutmix=0.3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_methods_of_the_tf_kd_paper_take_mixtures_and_weights(row):
    teacher = RunTeacher(run="r") if row.has_teacher else None
    recipe = replace(RECIPE, mixup=0.2, cutmix=0.2, class_weights="balanced")
    assert RunSettings(recipe, MethodSettings(row.name), teacher).recipe == recipe
