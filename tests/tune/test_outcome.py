"""When a trial is complete, pruned or diverged, by hand."""

import pytest

from tfkd.tune import OBJECTIVES
from tfkd.tune.outcome import Outcome, judge

NLL, ACCURACY = OBJECTIVES["calibrated_nll"], OBJECTIVES["accuracy"]
RESULT = object()
OTHERS = [0.5, 0.1, 0.4, 0.2, 0.3]


def verdict(values, others=(), *, seeds=3, goal=NLL, prune=True):
    outcomes = {n: Outcome(value, RESULT) for n, value in values.items()}
    return judge(outcomes, seeds, others, goal, prune=prune)


def test_the_first_seed_is_trained_alone_and_the_others_side_by_side():
    assert verdict({}).wanted == (0,)
    assert verdict({0: 0.3}).wanted == (1, 2)
    assert verdict({0: 0.3, 2: 0.1}).wanted == (1,)
    done = verdict({0: 0.3, 1: 0.2, 2: 0.1})
    assert (done.state, done.wanted, done.value) == ("complete", (), pytest.approx(0.2))


def test_a_trial_worse_than_the_median_of_five_others_is_given_no_more_seeds():
    worse = verdict({0: 0.31}, OTHERS)
    assert (worse.state, worse.value) == ("pruned", 0.31)
    assert verdict({0: 0.30}, OTHERS).state == "running"  # as good as the median
    assert verdict({0: 0.31}, OTHERS[:4]).state == "running"
    assert verdict({0: 0.31}, OTHERS, prune=False).state == "running"
    assert verdict({0: 0.31}, OTHERS, seeds=1).state == "complete"


def test_more_accuracy_is_better():
    assert verdict({0: 0.29}, OTHERS, goal=ACCURACY).state == "pruned"
    assert verdict({0: 0.31}, OTHERS, goal=ACCURACY).state == "running"


@pytest.mark.parametrize("goal", [NLL, ACCURACY])
def test_a_trial_that_diverged_is_the_worst_there_is(goal):
    lost = Outcome(goal.worst, None)
    found = judge({0: lost}, 2, (), goal, prune=True)
    assert (found.state, found.wanted) == ("diverged", ())
    assert all(goal.is_better(value, found.value) for value in (0.0, 1.0, 1e100))
    # Of later seeds all are awaited, so that the records are the same whichever ends first.
    ok = Outcome(0.5, RESULT)
    assert judge({0: ok, 1: lost}, 3, (), goal, prune=True).wanted == (2,)
    assert judge({0: ok, 1: lost, 2: ok}, 3, (), goal, prune=True).state == "diverged"
