"""The steps of an epoch, for any number of processes."""

import pytest

from tfkd.train.step.plan import StepPlan


@pytest.mark.parametrize(("processes", "trained"), [(1, 5), (2, 4)])
def test_the_last_trained_batch_ends_a_step_and_the_epoch(processes, trained):
    # The fifth batch has one sample, too few for two processes.
    plan = StepPlan(samples=41, batches=5, batch_size=10, accumulation=3, processes=processes)
    places = list(plan.places())
    assert len(places) == plan.trained == trained
    assert places[-1].ends
    assert sum(place.samples for place in places if place.ends) == (41 if processes == 1 else 40)
    # A checkpoint behind the last step is one for any number of processes.
    assert plan.is_between_steps(plan.batches)
    assert list(plan.places(plan.batches)) == []
