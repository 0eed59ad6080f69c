"""What claims are worth for new test images, from runs' logits."""

import math

import numpy as np
import pytest
import torch
from blank_record import BLANK
from gains import PLAIN, around, study_of
from msgspec.structs import replace
from torch.nn.functional import cross_entropy

from tfkd.data import DataSettings
from tfkd.study import per_image
from tfkd.study.per_image import PerImage, read_per_image
from tfkd.study.plan import Contrast
from tfkd.study.statistics.images import seeds_and_images

CLAIM = Contrast("net/a", PLAIN)
STUDY = study_of({"a": around(1.0, 4)})
LABELS = torch.arange(30) % 3


def runs(seeds=4, **changes):
    generator = torch.Generator().manual_seed(0)
    for seed in range(seeds):
        for arm in (PLAIN, "net/a"):
            logits = torch.randn(30, 3, generator=generator)
            yield replace(BLANK, arm=arm, seed=seed, **changes), logits


def test_each_metric_is_that_of_the_logits():
    found, by_hand = PerImage(), {}
    for record, logits in runs(temperature=2.0):
        found.add(record, logits, LABELS)
        by_hand[record.arm, record.seed] = {
            "accuracy": 100.0 * (logits.argmax(1) == LABELS).double(),
            "nll": -logits.double().log_softmax(1)[torch.arange(30), LABELS],
            "calibrated_nll": -(logits.double() / 2).log_softmax(1)[torch.arange(30), LABELS],
        }
    (compared,) = found.compared(STUDY).values()
    assert set(compared) == {"accuracy", "nll", "calibrated_nll"}
    for metric, ours in compared.items():
        table = np.stack(
            [by_hand["net/a", s][metric] - by_hand[PLAIN, s][metric] for s in range(4)]
        )
        theirs = seeds_and_images(table)
        assert (ours.n, ours.images) == (4, 30)
        assert ours.mean == pytest.approx(theirs.mean, abs=1e-5)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-4)


def test_of_runs_that_are_not_there_nothing_is_said(tmp_path):
    records = [record for record, _ in runs()]
    assert read_per_image(records, tmp_path).compared(STUDY) == {}


def test_images_of_each_fold_or_seed_alone_are_not_compared():
    folds = replace(BLANK.settings.recipe, data=DataSettings("digits", folds=4))
    settings = replace(BLANK.settings, recipe=folds)
    found, others = PerImage(), PerImage()
    for record, logits in runs():
        found.add(replace(record, settings=settings), logits, LABELS)
        others.add(record, logits, LABELS.roll(record.seed))
    assert found.compared(STUDY) == {}
    assert others.compared(STUDY) == {}


def test_more_numbers_than_memory_are_not_kept(monkeypatch):
    monkeypatch.setattr(per_image, "MOST_NUMBERS", 100)
    found = PerImage()
    for record, logits in runs():
        found.add(record, logits, LABELS)
    assert found.compared(STUDY) == {}


def test_a_run_that_blew_up_is_said_nothing_of():
    found = PerImage()
    for record, logits in runs():
        found.add(record, logits * math.inf if record.seed == 1 else logits, LABELS)
    (compared,) = found.compared(STUDY).values()
    assert set(compared) == {"accuracy"}
    assert cross_entropy(torch.tensor([[math.inf, 0.0]]), torch.tensor([0])).isnan()
