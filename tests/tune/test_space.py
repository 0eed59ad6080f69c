"""What is searched: every setting that may be tried is one of a run."""

import math

import pytest
from msgspec.structs import replace

from tfkd.method_table import METHODS, Method, Space, check_method_number
from tfkd.runs import MethodSettings
from tfkd.runs.chosen import Chosen
from tfkd.runs.optimizers import SGD
from tfkd.tune import Tuning
from tfkd.tune.runs_of_trial import Trial, runs_of
from tfkd.tune.sampler import propose
from tfkd.tune.space import axes, first_setting, setting_of

ROWS = [name for name, method in METHODS.items() if method.taught_by != "any"]
CLASSES = 10


@pytest.fixture
def all_methods(small):
    return replace(small.plan, methods=tuple(ROWS))


def corners(searched):
    """The ends of every axis, all low, all high and in turns."""
    yield {axis.name: axis.low for axis in searched}
    yield {axis.name: axis.high for axis in searched}
    for turn in range(2):
        yield {a.name: (a.low, a.high)[(n + turn) % 2] for n, a in enumerate(searched)}


@pytest.mark.parametrize("name", ROWS)
def test_a_method_can_be_built_and_run_at_every_corner_and_at_what_is_drawn(
    name, all_methods, tmp_path, drawn_seed
):
    tuning = replace(all_methods, search_seed=int(drawn_seed))
    entry = tuning.entry(name)
    settings = [setting_of(entry, values) for values in corners(axes(tuning, entry))]
    settings.append(first_setting(tuning, entry))
    for number, setting in enumerate(settings):
        setting.method.check(CLASSES)
        for number_name, value in setting.method.numbers.items():
            assert check_method_number(number_name, value) == value
        for run in runs_of(tuning, tmp_path, entry, Trial(name, number, setting)):
            assert run.settings.recipe.optimizer.learning_rate == setting.learning_rate
            assert run.settings.method == setting.method


def test_numbers_without_a_space_stay_at_their_defaults(all_methods):
    for name in ROWS:
        entry, defaults = all_methods.entry(name), MethodSettings(name).numbers
        high = {axis.name: axis.high for axis in axes(all_methods, entry)}
        numbers = setting_of(entry, high).method.numbers
        kept = {n: value for n, value in numbers.items() if n not in METHODS[name].spaces}
        assert kept == {n: defaults[n] for n in kept}


def test_the_first_trial_has_the_defaults_as_near_as_they_are_searched(small):
    recipe = replace(small.recipe, optimizer=SGD(learning_rate=0.1, weight_decay=1e-3))
    tuning = Tuning(recipe=recipe, teacher="x", methods=("tf_kd_reg",))
    first = first_setting(tuning, tuning.entry("tf_kd_reg"))
    assert (first.learning_rate, first.weight_decay) == (0.1, 1e-3)
    assert first.method == MethodSettings("tf_kd_reg")
    assert tuning.learning_rates == (0.01, 0.3)
    assert tuning.weight_decays == (1e-4, 1e-2)
    elsewhere = replace(tuning, learning_rates=(0.2, 0.5), weight_decays=(1e-6, 1e-5))
    first = first_setting(elsewhere, elsewhere.entry("tf_kd_reg"))
    assert (first.learning_rate, first.weight_decay) == (0.2, 1e-5)


def test_what_counts_is_whole_and_what_ends_below_1_stays_below(small, monkeypatch):
    spaces = {"warm_up": Space(1, 9), "decay": Space(0.5, 1.0)}
    row = Method("cs_kd", "own", "nobody", METHODS["cs_kd"].compositions, spaces)
    monkeypatch.setitem(METHODS, "cs_kd", row)
    tuning = replace(small.plan, methods=("cs_kd",))
    searched = {axis.name: axis for axis in axes(tuning, tuning.entry("cs_kd"))}
    assert searched["warm_up"].whole
    assert searched["warm_up"].rounded(3.4) == 3.0
    assert searched["decay"].high == math.nextafter(1.0, 0.0)
    assert searched["decay"].rounded(0.99999999) < 1.0


def test_an_entry_that_keeps_its_numbers_is_searched_in_the_two_of_the_recipe(small):
    numbers = {"alpha": 0.5, "temperature": 7.0, "confidence": 0.95}
    own = Chosen(
        name="half",
        method=MethodSettings("tf_kd_reg", numbers=numbers),
        learning_rate=0.02,
        weight_decay=1e-4,
    )
    tuning = replace(small.plan, methods=(), chosen=(own,))
    entry = tuning.entry("half")
    assert [axis.name for axis in axes(tuning, entry)] == ["learning_rate", "weight_decay"]
    first = first_setting(tuning, entry)
    assert first.learning_rate == 0.02
    assert first.method.numbers == {**numbers, "scale": 1.0}
    assert propose(tuning, entry, ()) == first
