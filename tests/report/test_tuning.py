"""The section on tuning: its numbers are those of the search's records."""

from itertools import product
from statistics import mean

import pytest
from msgspec.structs import replace

from tfkd.report.tuning import tuning_section
from tfkd.runs import Recipe, files
from tfkd.tune import Tuning
from tfkd.tune.records import PLAN_FILE, RECORDS_FILE, TrialRecord

PLAN = Tuning(
    recipe=Recipe(epochs=3), teacher="wide_cnn", methods=("label_smoothing",), trials=4, seeds=2
)
VALUES = {"cross_entropy": (0.61, 0.50, 0.40, 0.55), "label_smoothing": (0.48, 0.47, 0.475, 0.90)}


def records_of(values):
    return [
        TrialRecord(
            entry=method,
            trial=trial,
            seed=seed,
            method=method,
            dialect="tfkd",
            numbers={"alpha": 0.1 + trial / 100, "scale": 1.0}
            if method == "label_smoothing"
            else {"scale": 1.0},
            learning_rate=0.1 * (trial + 1),
            weight_decay=1e-4,
            state="complete",
            objective=value + (0.01 if seed % 2 else -0.01),
            accuracy=1 - value,
            nll=value,
            calibrated_nll=value,
            seconds=30.0,
            run=f"{method}/trial-{trial:03}/seed-{seed}",
        )
        for method, found in values.items()
        for trial, value in enumerate(found)
        for seed in (1000, 1001)
    ]


def section_of(tmp_path, values=VALUES, plan=PLAN):
    folder = tmp_path / "tune"
    folder.mkdir()
    files.write_json(folder / PLAN_FILE, plan)
    files.write_json_lines(folder / RECORDS_FILE, records_of(values))
    return tuning_section(tmp_path)


def test_it_says_the_budget_and_what_was_found(tmp_path):
    section = section_of(tmp_path)
    assert "2 methods had the same budget: 4 trials × 2 seeds × 3 epochs, 8 min" in section.answer
    (table,) = section.tables
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    plain, smoothed = rows
    best = "best NLL after temperature scaling"
    assert (plain["method"], plain[best], plain["learning rate"]) == (
        "cross-entropy",
        "0.4000",
        "0.3",
    )
    assert (plain["with its defaults"], plain["accuracy %"]) == ("0.6100", "60.00")
    assert (smoothed["chosen"], smoothed[best]) == ("alpha 0.11", "0.4700")
    # Within 2 % of 0.47: itself and 0.475; of 0.40: itself alone.
    assert (plain["near the best %"], smoothed["near the best %"]) == ("25", "50")


def test_the_expected_best_is_the_mean_over_every_draw(tmp_path):
    expected, trials = section_of(tmp_path).drawings
    assert (len(expected.panels), len(expected.wide)) == (1, 1)
    for title, method in (("cross-entropy", "cross_entropy"), ("label smoothing",) * 2):
        values = VALUES[method.replace(" ", "_")]
        found = [row[2] for row in expected.table.rows if row[0] == title]
        by_hand = [mean(map(min, product(values, repeat=n))) for n in range(1, 5)]
        assert found == pytest.approx(by_hand)
        assert [row[3] for row in trials.table.rows if row[0] == title] == pytest.approx(values)


def test_an_accuracy_is_in_percent(tmp_path):
    plan = replace(PLAN, objective="accuracy")
    section = section_of(tmp_path, plan=plan)
    assert "the highest accuracy" in section.answer
    expected, _ = section.drawings
    assert max(row[2] for row in expected.table.rows) <= 90.0
    assert "best accuracy %" in section.tables[0].columns


def test_a_search_under_way_says_how_far_it_is(tmp_path):
    section = section_of(tmp_path, {"cross_entropy": (0.5,)})
    assert "of which 1 of 8 have ended" in section.answer
    assert section.tables[0].rows[1][1] == "none"


def test_without_a_search_there_is_no_section_and_a_damaged_one_is_said(tmp_path):
    assert tuning_section(tmp_path) is None
    (tmp_path / "tune").mkdir()
    (tmp_path / "tune" / PLAN_FILE).write_text("{")
    section = tuning_section(tmp_path)
    assert "damaged" in section.answer
    assert section.tables == section.drawings == ()
