"""One rulebook: what may be said of a claim, of accuracy and of every other metric."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gains import PLAIN, around, claims_of, records_of, study_of

from tfkd.data import DataSettings
from tfkd.runs import Recipe
from tfkd.study.conclusions import (
    MEANING,
    check_machinery,
    conclude_claims,
    count_conclusions,
    equivalent,
)
from tfkd.study.plan import Contrast
from tfkd.study.statistics.differences import pair, paired_difference
from tfkd.study.statistics.family import max_t
from tfkd.study.statistics.images import seeds_and_images
from tfkd.study.statistics.power import spreads_found
from tfkd.study.summary import summarise_study


def conclusions(gains, **options):
    return [claim.conclusion for claim in claims_of(gains, **options)]


def test_nothing_compared():
    assert count_conclusions([]) == []


@pytest.mark.parametrize(
    ("values", "conclusion"),
    [
        (around(1.0, 8), "better"),
        (around(-1.0, 8), "worse"),
        (around(0.0, 8), "no difference worth having"),
        (around(0.1, 8), "no difference worth having"),  # told from 0, and too small
        (around(0.2, 8), "better"),  # the interval ends beyond 0.2
        ([0.4, -0.4, 0.3, -0.2, 0.5, -0.5, 0.1, 0.2], "not told apart"),
        (around(9.0, 5), "too few seeds to tell"),
        (around(0.0, 3), "no difference worth having"),  # an interval tells that of few seeds
        (around(0.0, 2), "too few seeds to tell"),
        ([0.0], "too few seeds to tell"),
        # All of one sign, p .03, and an interval that holds 0.
        ([0.1, 0.1, 0.1, 0.1, 0.1, 9.0], "not told apart"),
    ],
)
def test_a_difference_in_accuracy(values, conclusion):
    (claim,) = claims_of({"a": values})
    assert claim.conclusion == conclusion
    assert count_conclusions([claim]) == [(conclusion, 1)]
    assert claim.told is (claim.metrics["accuracy"].verdict in ("better", "worse"))
    assert set(MEANING) >= {conclusion}


def test_what_is_told_and_too_small_is_said_to_be():
    (claim,) = claims_of({"a": around(0.1, 8)})
    assert claim.told
    assert claim.because == "It is better, but by less."
    (claim,) = claims_of({"a": around(-0.1, 8)})
    assert claim.because == "It is worse, but by less."
    assert claims_of({"a": around(0.0, 8)})[0].because == ""


@pytest.mark.parametrize(
    ("control", "conclusion"),
    [
        (around(0.3, 8, 0.02), "better, beyond its controls"),
        (around(-0.8, 8, 0.02), "better, beyond its controls"),
        # Method minus control lies within 0.2 points of nothing, or below.
        ([0.95 + 0.02 * (seed % 3) for seed in range(8)], "better, explained by a control"),
        (around(1.5, 8, 0.02), "better, explained by a control"),
        # Neither above it, nor within 0.2 points.
        ([1.0 + 0.5 * (-1) ** seed for seed in range(8)], "better, not told from a control"),
    ],
)
def test_a_control_explains_only_what_it_equals(control, conclusion):
    gains = {"a": around(1.0, 8), "control": control}
    assert conclusions(gains, controls=["control"]) == [conclusion]


def test_of_two_controls_the_one_that_explains_counts():
    wild = [1.0 + 0.5 * (-1) ** seed for seed in range(8)]
    gains = {"a": around(1.0, 8), "wild": wild, "same": around(1.0, 8, 0.02)}
    (claim,) = claims_of(gains, controls=["wild", "same"])
    assert claim.conclusion == "better, explained by a control"
    assert "above cross-entropy × 0.3." in claim.because
    (claim,) = claims_of({name: gains[name] for name in ("a", "wild")}, controls=["wild"])
    assert claim.because == "It is not told from cross-entropy × 0.2."


def test_a_loss_that_a_control_shares():
    gains = {"a": around(-1.0, 8), "control": [-1.0 + 0.1 * (-1) ** s for s in range(8)]}
    (claim,) = claims_of(gains, controls=["control"])
    assert claim.conclusion == "worse"
    assert claim.because == "So is cross-entropy × 0.2, from which it is not told."
    gains["control"] = around(0.0, 8)
    assert claims_of(gains, controls=["control"])[0].because == ""


def test_p_is_corrected_over_the_claims_together():
    generator = np.random.default_rng(0)
    gains = {name: list(generator.normal(0.4, 0.5, 8)) for name in "abc"}
    gains["few"] = list(generator.normal(0.4, 0.5, 6))
    claims = claims_of(gains)
    expected = max_t([pair(values, np.zeros(len(values))) for values in gains.values()])
    assert [claim.corrected_p for claim in claims] == pytest.approx(expected)
    assert [claim.family for claim in claims] == [4] * 4
    for claim in claims:
        found = spreads_found(claim.difference.n, 4) * claim.difference.sd
        assert claim.detectable == pytest.approx(found)


def test_a_study_claims_what_its_contrasts_name():
    gains = {"a": around(1.0, 8), "b": around(0.4, 8, 0.02), "c": around(0.1, 8, 0.03)}
    study = study_of(gains, contrasts=[("a", "b"), ("c", "a")])
    rows = summarise_study(study, records_of(gains))
    first, second = conclude_claims(study, rows)
    assert (first.row.arm.name, first.against.arm.name) == ("net/a", "net/b")
    expected = paired_difference(gains["a"], gains["b"])
    assert first.difference.mean == pytest.approx(expected.mean)
    assert first.difference.low == pytest.approx(expected.low)
    assert (first.conclusion, second.conclusion) == ("better", "worse")
    assert not first.to_baseline
    # To cross-entropy it is told as before, and no p is said: that is no claim.
    assert rows[1].difference.mean == pytest.approx(1.0, abs=0.01)
    assert rows[1].adjusted_p is None


def test_a_control_may_be_claimed_against():
    gains = {"a": around(1.0, 8), "control": around(0.4, 8, 0.02)}
    (claim,) = claims_of(gains, controls=["control"], contrasts=[("a", "control")])
    assert claim.conclusion == "better"
    assert claim.difference.mean == pytest.approx(0.6, abs=0.02)


def test_what_a_temperature_undoes_and_what_it_mends():
    gains = {"sharp": around(1.0, 8), "soft": around(1.0, 8, 0.02), "good": around(1.0, 8, 0.03)}
    sure = around(-0.1, 8, 0.001)
    metrics = {
        "nll": {"sharp": sure, "soft": [-value for value in sure], "good": sure},
        "calibrated_nll": {"sharp": around(0.0, 8, 0.001), "soft": sure, "good": sure},
    }
    sharp, soft, good = claims_of(gains, metrics=metrics)
    assert [c.metrics["nll"].verdict for c in (sharp, soft, good)] == ["better", "worse", "better"]
    assert [c.metrics["calibrated_nll"].verdict for c in (sharp, soft, good)] == [
        "not told apart",
        "better",
        "better",
    ]
    assert (sharp.undone, soft.undone, good.undone) == (("nll",), (), ())
    assert (sharp.mended, soft.mended, good.mended) == ((), ("nll",), ())
    assert sharp.metrics["nll"].difference.mean == pytest.approx(-0.1, abs=0.01)
    # Each metric is a family of its own, and lower is better in all but accuracy.
    values = [metrics["nll"][name] for name in gains]
    expected = max_t([pair(each, np.zeros(8)) for each in values])
    assert [c.metrics["nll"].adjusted_p for c in (sharp, soft, good)] == pytest.approx(expected)


def test_what_is_no_longer_told_was_not_undone_for_that():
    """Where some is left for sure, or as much may be as before; where it turned, it was."""
    some = [-0.2] * 5 + [0.01] * 3  # p 1/16, and an interval below 0
    raw = {
        "some": around(-0.5, 8, 0.01),
        "unsure": around(-0.1, 8, 0.02),
        "turned": around(-0.1, 8, 0.03),
        "none": around(-0.1, 8, 0.04),
    }
    left = {
        "some": some,
        "unsure": around(-0.09, 8, 0.4),
        "turned": around(0.05, 8, 0.01),
        "none": around(0.0, 8, 0.02),
    }
    for sign, verdict in ((1.0, "better"), (-1.0, "worse")):
        found = claims_of(
            {name: around(1.0, 8, 0.01 * place) for place, name in enumerate(raw, start=1)},
            metrics={
                "aurc": {name: [sign * each for each in raw[name]] for name in raw},
                "calibrated_aurc": {name: [sign * each for each in left[name]] for name in raw},
            },
        )
        assert {c.metrics["aurc"].verdict for c in found} == {verdict}
        after = [c.metrics["calibrated_aurc"] for c in found]
        assert [each.verdict == "not told apart" for each in after] == [True, True, False, True]
        assert after[0].difference.low * after[0].difference.high > 0.0
        undone, mended = [c.undone for c in found], [c.mended for c in found]
        assert (undone if verdict == "better" else mended) == [(), (), ("aurc",), ("aurc",)]
        assert (mended if verdict == "better" else undone) == [()] * 4


def test_runs_without_a_temperature_have_none():
    (claim,) = claims_of({"a": around(1.0, 8)})
    assert "nll" in claim.metrics
    assert not any(name.startswith("calibrated") for name in claim.metrics)
    assert claim.undone == ()


def test_what_holds_for_new_images():
    contrast = Contrast("net/a", PLAIN)
    generator = np.random.default_rng(0)
    for spread, holds in ((1.0, True), (40.0, False)):
        table = 1.0 + spread * generator.standard_normal((1, 50)) + np.zeros((8, 1))
        found = {contrast: {"accuracy": seeds_and_images(table)}}
        (claim,) = claims_of({"a": around(1.0, 8)}, images=found)
        assert claim.holds_for_new_images is holds
    assert claims_of({"a": around(1.0, 8)})[0].holds_for_new_images is None


def test_detectable_of_few_seeds_is_nothing_at_all():
    for n in (1, 5):
        (claim,) = claims_of({"a": [1.0] * n})
        assert math.isinf(claim.detectable)
    (claim,) = claims_of({"a": [1.0] * 6})
    assert claim.detectable == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1.0], "no interval"),
        ([1.0, 1.1], "no interval"),
        ([1.0, -1.0, 0.5], "holds"),
        (around(1.0, 5), "may be chance"),
        (around(1.0, 8), "off"),
    ],
)
def test_what_undoes_the_scale_must_land_on_its_baseline(values, found):
    assert check_machinery(paired_difference(values, [0.0] * len(values))) == found


def test_equivalence_is_the_interval_within_both_ends():
    found = paired_difference([0.1, 0.11, 0.12], [0.0] * 3)
    assert equivalent(found, found.high)
    assert not equivalent(found, found.high - 1e-6)
    assert not equivalent(paired_difference([0.0, 0.0], [0.0] * 2), 0.2)  # no interval
    below = paired_difference([-0.1, -0.11, -0.12], [0.0] * 3)
    assert not equivalent(below, -below.low - 1e-6)


def test_of_folds_the_conclusion_is_said_of_folds():
    recipe = Recipe(data=DataSettings("digits", folds=5))
    (claim,) = claims_of({"a": around(1.0, 5)}, recipe=recipe)
    assert claim.name == "too few folds to tell"
