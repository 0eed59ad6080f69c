"""The sentences on all claims of a study follow from what is said of each."""

from __future__ import annotations

import numpy as np
import pytest
from gains import PLAIN, around, claims_of

from tfkd.data import DataSettings
from tfkd.report.conclusion import NO_TEMPERATURE, conclude
from tfkd.runs import Recipe
from tfkd.study.plan import Contrast
from tfkd.study.statistics.images import seeds_and_images

UNSURE = [0.4, -0.4, 0.3, -0.2, 0.5, -0.5, 0.1, 0.2]


def said(gains, **options):
    return "\n".join(conclude(claims_of(gains, **options)))


def test_nothing_compared():
    assert conclude([]) == ["Nothing was compared: no method but cross-entropy was run."]


def test_each_conclusion_has_its_line_the_best_first():
    lines = conclude(
        claims_of({"a": around(1.0, 8), "b": around(2.0, 8), "c": UNSURE, "d": around(-1.0, 8)})
    )
    assert lines[0] == (
        "Test accuracy, in points with 95 % intervals, 8 seeds, p corrected over 4 claims:"
    )
    assert lines[1].startswith("More accurate than cross-entropy: label smoothing +2.00 (1.98")
    assert ", label smoothing +1.00 (0.98 to 1.01)." in lines[1]
    assert lines[2].startswith("Less accurate than cross-entropy: label smoothing −1.00 (")
    assert lines[3].startswith("Not told apart from cross-entropy: label smoothing +0.05 (−0.26")


def test_few_seeds_conclude_nothing_and_how_many_would_is_said():
    text = said({"a": around(1.0, 3, 0.3), "b": around(1.0, 5, 0.3)})
    assert text.startswith(
        "Nothing can be concluded yet: with 3 to 5 seeds no p of 0.05 can be reached, whatever the "
        "differences; with 6 it can."
    )
    assert "seeds would show it in four studies of five." in text
    two = said({"a": [1.6, 1.7]})
    assert two.startswith("Nothing can be concluded yet: with 2 seeds")
    assert "No difference is told in NLL, ECE and AURC." in two


@pytest.mark.parametrize(("mean", "seeds_are_told"), [(0.5, True), (0.0, False)])
def test_of_a_difference_that_is_printed_as_nothing_no_seeds_are_told(mean, seeds_are_told):
    text = said({"a": [mean + 8.0, mean - 8.0, mean + 4.0, mean - 4.0]})
    assert ("is real" in text) is seeds_are_told
    assert "would take more than 1000 seeds." in text


def test_calibration_is_told_after_one_temperature():
    sure, rest = around(-0.1, 8, 0.001), around(0.0, 8, 0.001)
    gains = {"a": around(1.0, 8), "b": around(1.0, 8, 0.02)}
    metrics = {
        "nll": {"a": sure, "b": [-value for value in sure]},
        "ece": {"a": [value / 10 for value in sure]},
        "calibrated_nll": {"a": rest},
        "calibrated_ece": {"b": [-value / 10 for value in sure]},
        "calibrated_aurc": {},
    }
    text = said(gains, metrics=metrics)
    assert NO_TEMPERATURE not in text
    assert (
        "ECE after one temperature: worse than cross-entropy's with label smoothing (+1.00); one "
        "other not told apart."
    ) in text
    assert "No difference is told in NLL and AURC after one temperature." in text
    assert "One temperature undoes the better NLL of label smoothing." in text
    assert "One temperature undoes the better ECE of label smoothing." in text
    assert "Without a temperature NLL is worse with label smoothing." in text


@pytest.mark.parametrize(
    ("left", "spread", "text"),
    [
        (0.02, 0.05, "One temperature undoes the better NLL of label smoothing."),
        (-0.02, 0.05, "One temperature undoes the better NLL of label smoothing."),
        # It scatters so much that it is not told, and is nearly as large as before.
        (-0.08, 0.2, "One temperature leaves it open whether label smoothing differs in NLL."),
    ],
)
def test_a_difference_that_is_only_less_sure_is_not_undone(left, spread, text):
    metrics = {"nll": {"a": around(-0.1, 8, 0.001)}}
    metrics["calibrated_nll"] = {"a": around(left, 8, spread)}
    lines = said({"a": around(1.0, 8)}, metrics=metrics).splitlines()
    assert [line for line in lines if line.startswith("One temperature")] == [text]


def test_of_many_the_first_are_named():
    names = "abcdefgh"
    gains = {name: around(0.0, 10) for name in names}
    nll = {name: around(-0.1 * place, 10, 0.001) for place, name in enumerate(names, 1)}
    text = said(gains, metrics={"nll": nll})
    (line,) = [line for line in text.splitlines() if line.startswith("NLL: better")]
    assert line.startswith("NLL: better than cross-entropy's with label smoothing (−0.800), ")
    assert line.endswith("label smoothing (−0.300), 2 more.")


def test_without_a_temperature_that_is_said():
    text = said({"a": around(1.0, 8)}, metrics={"nll": {"a": around(-0.1, 8, 0.001)}})
    assert NO_TEMPERATURE in text
    assert "NLL: better than cross-entropy's with label smoothing (−0.100)." in text


def test_claims_against_different_arms_name_both():
    gains = {"a": around(1.0, 8), "control": around(0.4, 8, 0.02)}
    text = said(gains, controls=["control"], contrasts=[("a", "control"), ("control", "plain")])
    assert "More accurate: label smoothing against cross-entropy × 0.2 +0.60 (" in text
    assert "cross-entropy × 0.2 against cross-entropy +0.39 (" in text


def test_luck_with_the_test_images_is_said():
    table = 1.0 + 40.0 * np.random.default_rng(0).standard_normal((1, 50)) + np.zeros((8, 1))
    images = {Contrast("net/a", PLAIN): {"accuracy": seeds_and_images(table)}}
    text = said({"a": around(1.0, 8)}, images=images)
    assert (
        "Told on these test images alone, for the interval for other images holds 0: label "
        "smoothing." in text
    )


@pytest.mark.parametrize("values", [around(1.0, 5), [0.4, -0.5, 0.3, -0.2, 0.6, 0.1], [0.5] * 12])
def test_what_is_said_of_folds_is_what_is_said_of_seeds(values):
    recipe = Recipe(data=DataSettings("digits", folds=len(values)))
    of_folds = said({"a": values}, recipe=recipe)
    assert "seed" not in of_folds
    assert of_folds.replace("fold", "seed") == said({"a": values})
    assert f"{len(values)} folds" in of_folds
