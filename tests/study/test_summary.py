"""Rows of a study, what may be concluded from them, and their table on the terminal."""

import io
import math

import pytest
from blank_record import BLANK
from msgspec.structs import replace
from rich.console import Console

from tfkd.report.conclusion import conclude
from tfkd.report.terminal.study_table import print_rows
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.conclusions import conclude_claims
from tfkd.study.plan import Arm, Study
from tfkd.study.summary import summarise_study, title_of

PLAIN, TAUGHT = "small_cnn/cross_entropy", "small_cnn/de_kd"
SCALED = "small_cnn/scaled-0.5"


def arm(name, method, *, baseline=PLAIN, **options):
    return Arm(name, method, Recipe(), baseline=baseline, **options)


STUDY = Study(
    "test",
    "Does it work?",
    (
        arm(PLAIN, MethodSettings(), baseline=None),
        arm(
            TAUGHT,
            MethodSettings("de_kd", "released", {"alpha": 0.9, "temperature": 4.0}),
            teacher=PLAIN,
            teacher_epoch=1,
        ),
        arm(
            SCALED,
            MethodSettings(numbers={"scale": 0.5}),
            control="scaled",
            control_of=(TAUGHT,),
        ),
    ),
    seeds=3,
)


def record(name, seed, accuracy, *, teacher=None):
    return replace(
        BLANK,
        arm=name,
        seed=seed,
        teacher=teacher,
        teacher_accuracy=0.5 if teacher else None,
        accuracy=accuracy,
    )


def rows_of(differences, *, control=None, baseline=0.9):
    records = []
    for seed, difference in enumerate(differences):
        plain = baseline + 0.01 * (seed % 2)
        records.append(record(PLAIN, seed, plain))
        records.append(record(TAUGHT, seed, plain + difference, teacher="wide_cnn@1"))
        if control is not None:
            records.append(record(SCALED, seed, plain + control[seed]))
    return summarise_study(STUDY, records)


def test_differences_are_paired_by_seed():
    baseline, taught = rows_of([0.01, 0.03])
    assert baseline.difference is None
    # 90 and 91 percent; then 91 and 94.
    assert baseline.accuracy.mean == pytest.approx(90.5)
    assert baseline.accuracy.sd == pytest.approx(math.sqrt(0.5))
    assert taught.accuracy.mean == pytest.approx(92.5)
    assert taught.difference.mean == pytest.approx(2.0)
    assert taught.difference.sd == pytest.approx(math.sqrt(2))
    assert taught.metrics["teacher_accuracy"].mean == pytest.approx(50.0)
    assert taught.differences["nll"].mean == 0.0


def test_a_seed_that_the_baseline_lacks_is_not_compared():
    records = [record(PLAIN, 0, 0.9), record(TAUGHT, 0, 0.91), record(TAUGHT, 1, 0.5)]
    taught = summarise_study(STUDY, records)[1]
    assert taught.accuracy.n == 2
    assert taught.difference.n == 1
    assert taught.difference.mean == pytest.approx(1.0)


def test_a_method_is_compared_with_its_controls():
    _, taught, scaled = rows_of([0.01, 0.03, 0.02], control=[0.01, 0.01, 0.01])
    assert scaled.is_control and not taught.is_control
    assert taught.over_controls[SCALED].mean == pytest.approx(1.0)
    assert taught.over_controls[SCALED].sd == pytest.approx(1.0)
    assert scaled.over_controls == {}
    # Each is alone in its family. Of 2³ flips, 2 are as extreme.
    assert taught.adjusted_p == pytest.approx(0.25)
    assert scaled.adjusted_p == pytest.approx(0.25)


def test_titles_name_dialect_and_scale():
    assert title_of(STUDY.arm(TAUGHT)) == "De-KD, as released"
    undone = arm("small_cnn/undone-0.5", MethodSettings(numbers={"scale": 0.5}), control="undone")
    assert title_of(undone) == ("cross-entropy × 0.5, learning rate ÷ 0.5, weight decay × 0.5")
    smoothed = arm(
        "small_cnn/smoothed-0.2",
        MethodSettings("label_smoothing", numbers={"alpha": 0.2}),
        control="smoothed",
    )
    assert title_of(smoothed) == "label smoothing ε = 0.2"


def test_what_may_be_concluded():
    def concluded(differences):
        return " ".join(conclude(conclude_claims(STUDY, rows_of(differences))))

    assert "Nothing can be concluded yet" in concluded([0.01])
    few = concluded([0.01, 0.012, 0.011])
    assert "Nothing can be concluded yet" in few
    assert "seeds would show it" in few
    clear = concluded([0.01 + 0.0001 * i for i in range(11)])
    assert "More accurate than cross-entropy: De-KD, as released +1.05 (1.03 to 1.07)." in clear
    none = concluded([0.01, -0.01, 0.012, -0.011, 0.009, -0.01, 0.01, -0.012])
    assert "Not told apart from cross-entropy: De-KD, as released" in none


@pytest.mark.parametrize("differences", [[0.01], [0.01, -0.012, 0.04]])
def test_the_table_fits_in_80_columns(differences):
    buffer = io.StringIO()
    print_rows(STUDY, rows_of(differences), Console(file=buffer, width=80))
    printed = buffer.getvalue()
    assert max(map(len, printed.splitlines())) <= 80
    assert "…" not in printed
    assert [line.split()[-1] for line in printed.splitlines() if "0.500" in line] == ["12", "12"]
    for text in ("cross-entropy", "De-KD", "wide_cnn@1", "50.0", "0.500", "2.0", "1.00"):
        assert text in printed


def test_large_numbers_break_no_heading_and_no_name():
    """What networks that have learned nothing come to."""
    records = [
        replace(
            record(name, seed, accuracy, teacher=teacher),
            nll=1234.5,
            ece=1.0,
            calibrated_nll=1234.5,
            calibrated_ece=1.0,
            calibrated_aurc=1.0,
            seconds=12345.0,
        )
        for name, teacher, accuracies in (
            (PLAIN, None, (1, 0.6, 0.8)),
            (TAUGHT, "wide_cnn@1", (0, 0.1, 0)),
        )
        for seed, accuracy in enumerate(accuracies)
    ]
    buffer = io.StringIO()
    print_rows(STUDY, summarise_study(STUDY, records), Console(file=buffer, width=80))
    table = buffer.getvalue().partition("\n\n")[0]
    assert max(map(len, table.splitlines())) <= 80
    words = set(table.split())
    assert words >= {"teacher", "acc.", "NLL*", "ECE*", "De-KD,", "released", "wide_cnn", "1234"}
    assert "sec-" not in words  # there is no room for them


def test_after_a_temperature_it_is_said_what_the_star_means():
    records = [
        replace(
            record(name, seed, 0.9),
            calibrated_nll=0.25,
            calibrated_ece=0.034,
            calibrated_aurc=0.0123,
        )
        for name in (PLAIN, SCALED)
        for seed in range(3)
    ]
    buffer = io.StringIO()
    print_rows(STUDY, summarise_study(STUDY, records), Console(file=buffer, width=80))
    printed = buffer.getvalue()
    assert "teacher" not in printed.partition("\n\n")[0]  # there is none
    line = next(line for line in printed.splitlines() if line.startswith("cross-entropy"))
    assert line.split()[-5:] == ["0.250", "2.0", "3.4", "1.23", "12"]
    assert "* after one temperature for each run, fitted on its validation images" in printed
