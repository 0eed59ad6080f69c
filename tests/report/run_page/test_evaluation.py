"""Scores by class against counting by hand."""

import math

import pytest
import torch

from tfkd.report.pictures.answers import Answers
from tfkd.report.run_page.evaluation import class_scores
from tfkd.report.wilson import wilson


def test_scores_are_what_counting_gives(chance, examples):
    for _ in range(examples):
        classes, images = chance.randrange(2, 6), chance.randrange(1, 30)
        logits = torch.tensor([[chance.gauss(0, 1) for _ in range(classes)] for _ in range(images)])
        labels = [chance.randrange(classes) for _ in range(images)]
        taken = [max(range(classes), key=row.__getitem__) for row in logits.tolist()]
        found = class_scores(Answers("test", logits, torch.tensor(labels)))
        pairs = list(zip(labels, taken, strict=True))
        recalls, f1s = [], []
        for k in range(classes):
            hit, own, said = pairs.count((k, k)), labels.count(k), taken.count(k)
            assert found.support[k] == own
            assert math.isnan(found.precision[k]) if not said else found.precision[k] == hit / said
            assert math.isnan(found.recall[k]) if not own else found.recall[k] == hit / own
            for j in range(classes):
                assert found.confusion[k, j] == pairs.count((k, j))
            if own:
                recalls.append(hit / own)
                f1s.append(2 * hit / (own + said))
                assert found.f1[k] == pytest.approx(f1s[-1])
        assert found.balanced_accuracy == pytest.approx(sum(recalls) / len(recalls))
        assert found.macro_f1 == pytest.approx(sum(f1s) / len(f1s))
        wanted = sorted(
            {(a, b, pairs.count((a, b))) for a, b in pairs if a != b},
            key=lambda pair: (-pair[2], pair[:2]),
        )
        assert found.pairs() == wanted


@pytest.mark.parametrize(("right", "of"), [(0, 1), (1, 1), (8, 10), (35, 41), (9000, 10000)])
def test_the_interval_is_wilsons(right, of):
    z, share = 1.959963984540054, right / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    assert wilson(right, of) == pytest.approx((middle - half, middle + half), abs=1e-12)
