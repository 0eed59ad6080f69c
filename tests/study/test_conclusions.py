"""One rulebook: what is said over all claims follows from what is said of each."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from tfkd.data import DataSettings
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.conclusions import (
    MEANING,
    check_machinery,
    conclude,
    conclude_claims,
    count_conclusions,
)
from tfkd.study.plan import Arm
from tfkd.study.statistics.differences import holm, paired_difference, summarise
from tfkd.study.summary import Row


def rows_of(gains, *, controls=()):
    """A row for each list of gains in points; those of `controls` may explain the first."""
    found = {name: paired_difference(values, [0.0] * len(values)) for name, values in gains.items()}
    claims = [name for name in found if name not in controls]
    adjusted = dict(zip(claims, holm([found[name].p_value for name in claims]), strict=True)) | {
        name: found[name].p_value for name in controls
    }
    rows = []
    for name, difference in found.items():
        over = {}
        if name == claims[0]:
            over = {
                f"net/{other}": paired_difference(gains[name], gains[other]) for other in controls
            }
        rows.append(
            Row(
                Arm(
                    f"net/{name}",
                    MethodSettings(),
                    Recipe(),
                    control="scaled" if name in controls else None,
                    baseline="net/plain",
                ),
                name,
                metrics={"accuracy": summarise([80.0 + gain for gain in gains[name]])},
                differences={"accuracy": difference},
                adjusted_p=adjusted[name],
                over_controls=over,
            )
        )
    return rows


def concluded(gains, **options):
    claims = conclude_claims(rows_of(gains, **options))
    return [claim.conclusion for claim in claims], conclude(claims)


def around(mean, seeds):
    return [mean + 0.01 * (seed % 5 - 2) for seed in range(seeds)]


def test_nothing_compared():
    assert conclude([]) == "Nothing was compared: no method but cross-entropy was run."
    assert count_conclusions([]) == []


def test_one_that_is_told_is_told_beside_one_of_few_seeds():
    conclusions, words = concluded({"long": around(1.0, 10), "short": around(1.0, 2)})
    assert conclusions == ["gain, no control was run", "too few seeds to tell"]
    assert words.startswith("With 2 to 10 seeds: long on net: +1.00 points to cross-entropy")
    assert words.endswith("; 1 of 2 methods cannot be told from it.")


def test_what_could_have_been_told_and_was_not_is_no_lack_of_seeds():
    conclusions, words = concluded({"long": [1.0, -1.0] * 5, "short": around(1.0, 2)})
    assert conclusions == ["no gain can be told", "too few seeds to tell"]
    assert words.startswith("No method can be told from cross-entropy by its accuracy with 2 to 10")


@pytest.mark.parametrize(
    ("seeds", "words"),
    [((1, 1), "is possible with 1 seed."), ((3, 4), "is possible with 3 to 4 seeds.")],
)
def test_too_few_seeds_for_all(seeds, words):
    gains = {name: around(1.0, count) for name, count in zip("ab", seeds, strict=True)}
    conclusions, said = concluded(gains)
    assert set(conclusions) == {"too few seeds to tell"}
    assert said.startswith("Nothing can be concluded yet: over 2 comparisons")
    assert words in said


@pytest.mark.parametrize(("mean", "seeds_are_told"), [(0.5, True), (0.0, False)])
def test_of_a_difference_that_is_printed_as_nothing_no_seeds_are_told(mean, seeds_are_told):
    _, said = concluded({"a": [mean + 8.0, mean - 8.0, mean + 4.0, mean - 4.0]})
    assert ("seeds would show it" in said) is seeds_are_told


@pytest.mark.parametrize("control", [0.2, 1.0, 1.5, -1.0])
@pytest.mark.parametrize("gain", [-1.0, 0.0, 1.0])
def test_the_sentence_names_those_whose_conclusion_is_a_gain_or_a_loss(gain, control):
    gains = {"method": around(gain, 8), "control": around(control, 8)}
    rows = rows_of(gains, controls=("control",))
    (claim,) = conclude_claims(rows)
    assert claim.conclusion in MEANING
    told = claim.conclusion == "worse" or claim.conclusion.startswith("gain")
    assert claim.told is told
    assert ("method on net" in conclude([claim]).partition(" If ")[0]) is told
    assert count_conclusions([claim]) == [(claim.conclusion, 1)]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1.0], "no interval"),
        ([1.0, -1.0, 0.5], "holds"),
        (around(1.0, 5), "may be chance"),
        (around(1.0, 8), "off"),
    ],
)
def test_what_undoes_the_scale_must_land_on_its_baseline(values, found):
    assert check_machinery(paired_difference(values, [0.0] * len(values))) == found


@pytest.mark.parametrize(
    "gains", [around(1.0, 5), [0.4, -0.5, 0.3, -0.2, 0.6], [0.5] * 12, around(0.1, 12)]
)
def test_what_is_said_of_folds_is_what_is_said_of_seeds(gains):
    rows = rows_of({"a": gains})
    recipe = Recipe(data=DataSettings("digits", folds=len(gains)))
    of_folds = [replace(row, arm=structs.replace(row.arm, recipe=recipe)) for row in rows]
    said, of_seeds = conclude(conclude_claims(of_folds)), conclude(conclude_claims(rows))
    assert "seed" not in said
    assert said.replace("fold", "seed") == of_seeds
    assert f"{len(gains)} folds" in said
    (claim,) = conclude_claims(of_folds)
    assert claim.name == claim.conclusion.replace("seed", "fold")
