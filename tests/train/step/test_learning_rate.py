import pytest
import torch

from tfkd.runs import Constant, Cosine, OneCycle, Step
from tfkd.train.step.learning_rate import learning_rate_factor

EPOCHS, STEPS = 6, 5


def ours(schedule):
    return [
        learning_rate_factor(step, steps_per_epoch=STEPS, epochs=EPOCHS, schedule=schedule)
        for step in range(EPOCHS * STEPS)
    ]


def torchs(make):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(EPOCHS * STEPS):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


def test_step_is_torchs_multi_step():
    milestones = [2 * STEPS, 5 * STEPS]
    expected = torchs(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, milestones, gamma=0.2))
    rates = ours(Step(milestones=(2, 5), gamma=0.2, warmup_epochs=0))
    assert rates == pytest.approx(expected)


def test_cosine_is_torchs():
    expected = torchs(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, EPOCHS * STEPS))
    assert ours(Cosine(warmup_epochs=0)) == pytest.approx(expected)


def test_one_cycle_is_torchs():
    one_cycle = torch.optim.lr_scheduler.OneCycleLR
    expected = torchs(lambda o: one_cycle(o, 1.0, total_steps=EPOCHS * STEPS, cycle_momentum=False))
    assert ours(OneCycle()) == pytest.approx(expected)


def test_warm_up_rises_in_equal_steps_to_the_full_rate():
    rates = ours(Constant(warmup_epochs=1))
    assert rates[: STEPS + 1] == pytest.approx([k / (STEPS + 1) for k in range(1, STEPS + 2)])
    assert set(rates[STEPS:]) == {1.0}
