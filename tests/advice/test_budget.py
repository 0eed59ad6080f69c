"""What fits into a budget: worked out by hand, and never more than the budget."""

import pytest

from tfkd.advice.budget import SIZES, STARTING, USED, Costs, Size, fitting

PLAIN = {"cross_entropy": 1.0, "tf_kd_reg": 2.0, "label_smoothing": 1.0}
TAUGHT = Costs({**PLAIN, "normal_kd": 3.0}, teacher=10.0)


def test_costs_are_those_of_every_run():
    # 2 seeds of 4 trials of 3 methods, then 6 seeds of each.
    assert Costs(PLAIN).seconds(tuple(PLAIN), Size(6, 4, 2)) == 2 * 4 * 4.0 + 6 * 4.0
    # Beside it the larger network: tuned too, and trained once for each seed to teach.
    methods = (*PLAIN, "normal_kd")
    assert TAUGHT.seconds(methods, Size(6, 4, 2)) == 2 * (4 * 17.0 + 10.0) + 6 * 17.0
    assert TAUGHT.seconds(tuple(PLAIN), Size(6, 4, 2)) == Costs(PLAIN).seconds(
        tuple(PLAIN), Size(6, 4, 2)
    )


@pytest.mark.parametrize("seconds", [40, 70, 100, 150, 250, 400, 700, 1500, 4000])
def test_what_is_planned_is_within_the_budget_and_more_time_is_never_less(seconds):
    found, more = fitting(TAUGHT, seconds), fitting(TAUGHT, 2 * seconds)
    assert len(more.methods) >= len(found.methods)
    if found.size is not None:
        assert TAUGHT.seconds(found.methods, found.size) + STARTING <= USED * seconds
        assert seconds >= found.least
    else:
        assert found.methods == ("cross_entropy",)
        assert seconds < found.least
    assert found.methods[0] == "cross_entropy"
    missing = [name for name in TAUGHT.trained if name not in found.methods]
    assert bool(found.left_out) is bool(missing)
    assert all(name in " ".join(found.left_out) for name in missing)


def test_the_least_that_is_said_is_enough_and_nothing_less_is():
    least = fitting(TAUGHT, 0.0).least
    assert fitting(TAUGHT, least * 1.001).size == SIZES[-1]
    assert fitting(TAUGHT, least * 0.999).size is None


def test_no_size_is_too_small_for_a_p_below_05():
    # 2/2**n for the smallest p of n seeds.
    assert all(2 / 2**size.seeds < 0.05 for size in SIZES)
