"""What is tried next depends on the trials before it, and on nothing else."""

import random

import pytest
from msgspec.structs import replace
from optuna.trial import TrialState, create_trial
from split_off import Program, written

from tfkd.tune.sampler import Proposer, propose
from tfkd.tune.space import axes, searched_values


def searched(tuning, entry, count, value, found=None):
    """The settings of a search whose values are a function of them; its trials go to `found`."""
    found, settings = [] if found is None else found, []
    for _ in range(count):
        setting = propose(tuning, entry, found)
        settings.append(setting)
        found.append(
            create_trial(
                state=TrialState.COMPLETE,
                value=value(setting),
                params=searched_values(setting, axes(tuning, entry)),
                distributions={a.name: a.distribution() for a in axes(tuning, entry)},
            )
        )
    return settings


def steep(setting):
    return abs(setting.method.numbers.get("temperature", 1.0) - 5.0) + setting.learning_rate


def test_it_is_the_same_whatever_was_drawn_before(small):
    entry = small.plan.entry("tf_kd_self")
    once = searched(small.plan, entry, 14, steep)
    random.seed(1)
    assert searched(small.plan, entry, 14, steep) == once
    other = searched(replace(small.plan, search_seed=1), entry, 14, steep)
    assert other[0] == once[0]  # the defaults
    assert all(one != two for one, two in zip(other[1:], once[1:], strict=True))


def test_who_knows_the_trials_before_draws_the_same(small):
    """Also where trials came from elsewhere, several at once."""
    entry = small.plan.entry("tf_kd_self")
    found = []
    settings = searched(small.plan, entry, 20, steep, found)
    proposer = Proposer(small.plan, entry)
    for number in (0, 1, 2, 7, 11, 12, 13, 19):
        assert proposer.next(found[:number]) == settings[number]


def test_another_process_draws_the_same(small, tmp_path):
    program = (
        f"import runpy\nsearched = runpy.run_path({__file__!r})['searched']\n"
        "value = lambda setting: setting.learning_rate\n"
        "print(searched(PLAN, PLAN.entry('tf_kd_self'), 12, value)[-1])\n"
    )
    said = Program(written(tmp_path / "draws.py", program), PLAN=small.plan).finish()
    own = searched(small.plan, small.plan.entry("tf_kd_self"), 12, lambda s: s.learning_rate)
    assert said.strip() == str(own[-1])


def test_methods_have_the_same_rates_while_they_are_drawn_at_random(small):
    tuning = replace(small.plan, methods=("tf_kd_self", "max_sup"))
    drawn = [
        [(s.learning_rate, s.weight_decay) for s in searched(tuning, entry, 10, steep)]
        for entry in tuning.entries
    ]
    assert drawn[0] == drawn[1] == drawn[2]
    assert len(set(drawn[0])) == 10


@pytest.mark.parametrize("objective", ["calibrated_nll", "accuracy"])
def test_it_looks_where_the_values_are_good(small, objective):
    tuning = replace(small.plan, objective=objective)
    sign = -1.0 if tuning.goal.maximise else 1.0
    settings = searched(
        tuning, tuning.entry("tf_kd_self"), 40, lambda setting: sign * steep(setting)
    )
    distance = [abs(s.method.numbers["temperature"] - 5.0) for s in settings]
    assert sum(distance[-15:]) < 0.5 * sum(distance[1:10]) / 9 * 15


def test_settings_are_short_and_within_what_is_searched(small):
    entry = small.plan.entry("tf_kd_self")
    for setting in searched(small.plan, entry, 15, steep)[1:]:
        for axis in axes(small.plan, entry):
            value = setting.value(axis)
            assert axis.low <= value <= axis.high
            assert value == float(f"{value:.4g}")
