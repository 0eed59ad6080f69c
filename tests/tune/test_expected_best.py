"""The expected best of n trials against every possible draw of n."""

import itertools
import math
import statistics

import pytest

from tfkd.tune import expected_best


@pytest.mark.parametrize("maximise", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_it_is_the_mean_over_every_draw_with_replacement(count, maximise, chance):
    values = [chance.uniform(0.1, 2.0) for _ in range(count - 1)]
    values.append(values[0] if values else 1.0)  # equal ones too
    best = max if maximise else min
    expected = [
        statistics.fmean(best(draw) for draw in itertools.product(values, repeat=n))
        for n in range(1, count + 1)
    ]
    assert expected_best(values, maximise=maximise) == pytest.approx(expected, rel=1e-12)


def test_it_starts_at_the_mean_and_nears_the_best_without_passing_it(chance):
    values = [chance.gauss(0.5, 0.1) for _ in range(40)]
    found = expected_best(values)
    assert found[0] == pytest.approx(statistics.fmean(values))
    assert all(later < earlier for earlier, later in itertools.pairwise(found))
    assert found[-1] > min(values)


@pytest.mark.parametrize("values", [[], [1.0, math.inf], [math.nan]])
def test_values_of_which_there_is_no_mean_are_refused(values):
    with pytest.raises(ValueError, match="Expected `values` that are finite"):
        expected_best(values)
