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


@pytest.mark.parametrize(
    ("processes", "share", "samples", "trained"),
    # Of the last batch, of samples - 40, each process has its half, rounded.
    [
        (1, 1, 42, 42),
        (2, 1, 42, 42),
        (2, 2, 42, 40),
        (2, 2, 43, 40),
        (2, 2, 44, 44),
        (3, 2, 45, 40),
    ],
)
def test_a_last_batch_with_too_few_for_a_process_is_left_out(processes, share, samples, trained):
    plan = StepPlan(
        samples=samples,
        batches=5,
        batch_size=10,
        accumulation=1,
        processes=processes,
        smallest_share=share,
    )
    assert sum(place.samples for place in plan.places()) == trained
