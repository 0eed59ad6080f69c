"""The slope of Figure 2, an interaction, and teachers beside students, by hand and by numpy."""

import io
import math

import numpy as np
import pytest
from blank_record import BLANK
from msgspec.structs import replace
from rich.console import Console
from scipy import stats

from tfkd.report.beside_contrasts import beside_contrasts
from tfkd.report.teacher_remarks import teacher_remarks
from tfkd.report.terminal.study_table import print_beside
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.interaction import difference_of
from tfkd.study.plan import Arm, Contrast, Interaction, Study
from tfkd.study.slope import slopes
from tfkd.study.teacher_check import teacher_checks

SMALL, LARGE = "small_cnn/cross_entropy", "wide_cnn/cross_entropy"
STAGES = (1, 2, 5, None)
TAUGHT = [f"small_cnn/kd-{epoch or 'last'}" for epoch in STAGES]


def arm(name, method="cross_entropy", **options):
    return Arm(name, MethodSettings(method), Recipe().for_student(name.split("/")[0]), **options)


def of_stage(name, epoch):
    method = "de_kd" if epoch else "normal_kd"
    return arm(name, method, teacher=LARGE, teacher_epoch=epoch, baseline=SMALL)


STUDY = Study(
    "figure-2",
    "How good must a teacher be?",
    (arm(SMALL), arm(LARGE), *map(of_stage, TAUGHT, STAGES)),
    seeds=8,
)


def record(name, seed, accuracy, teacher=None, teacher_accuracy=None):
    return replace(
        BLANK,
        arm=name,
        seed=seed,
        accuracy=accuracy,
        teacher=teacher,
        teacher_accuracy=teacher_accuracy,
    )


def curves(seeds, slope, noise=0.01):
    """For each seed the accuracies of four stages of a teacher, and of the student of each."""
    generator = np.random.default_rng(3)
    teachers = np.array([0.3, 0.55, 0.7, 0.85]) + 0.02 * generator.standard_normal((seeds, 4))
    return teachers, 0.6 + slope * teachers + noise * generator.standard_normal((seeds, 4))


def records_of(teachers, students, large=0.85):
    found = []
    for seed, (of_teacher, of_student) in enumerate(zip(teachers, students, strict=True)):
        found += [record(SMALL, seed, 0.6), record(LARGE, seed, large)]
        labels = [f"wide_cnn@{epoch}" if epoch else "wide_cnn" for epoch in STAGES]
        for name, label, x, y in zip(TAUGHT, labels, of_teacher, of_student, strict=True):
            found.append(record(name, seed, float(y), label, float(x)))
    return found


def test_the_slope_of_each_seed_is_that_of_polyfit():
    teachers, students = curves(8, 0.1)
    (slope,) = slopes(STUDY, records_of(teachers, students))
    expected = [np.polyfit(x, y, 1)[0] for x, y in zip(teachers, students, strict=True)]
    assert list(slope.by_seed.values()) == pytest.approx(expected, rel=1e-9)
    assert slope.difference.mean == pytest.approx(np.mean(expected))
    assert slope.difference.n == 8
    means = 100 * teachers.mean(axis=0)
    assert (slope.worst, slope.best) == pytest.approx((means.min(), means.max()))
    assert slope.worthwhile == pytest.approx(0.2 / (means.max() - means.min()))
    assert (slope.student, slope.teacher, slope.arms) == ("small_cnn", "wide_cnn", tuple(TAUGHT))


def test_its_interval_is_student_s_t():
    teachers, students = curves(8, 0.05, noise=0.02)
    (slope,) = slopes(STUDY, records_of(teachers, students))
    values = [np.polyfit(x, y, 1)[0] for x, y in zip(teachers, students, strict=True)]
    low, high = stats.t.interval(0.95, 7, loc=np.mean(values), scale=stats.sem(values))
    assert (slope.difference.low, slope.difference.high) == pytest.approx((low, high))


def test_its_p_is_that_of_all_sign_flips():
    teachers, students = curves(8, 0.02, noise=0.03)
    (slope,) = slopes(STUDY, records_of(teachers, students))
    values = np.array([np.polyfit(x, y, 1)[0] for x, y in zip(teachers, students, strict=True)])
    flips = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    assert slope.difference.p_value == pytest.approx(flips.pvalue)
    assert 0.01 < slope.difference.p_value < 1.0


def test_a_seed_counts_when_it_has_every_stage():
    teachers, students = curves(3, 0.1)
    records = records_of(teachers, students)
    without = [own for own in records if (own.arm, own.seed) != (TAUGHT[1], 1)]
    (slope,) = slopes(STUDY, without)
    assert list(slope.by_seed) == [0, 2]
    assert slopes(STUDY, [own for own in records if own.arm != TAUGHT[1]]) == []
    alike = [replace(own, teacher_accuracy=0.5 if own.teacher else None) for own in records]
    assert slopes(STUDY, alike) == []  # no line through one teacher


def test_two_stages_are_no_curve():
    kept = {SMALL, LARGE, TAUGHT[0], TAUGHT[3]}
    study = replace(STUDY, arms=tuple(arm for arm in STUDY.arms if arm.name in kept))
    assert slopes(study, records_of(*curves(3, 0.1))) == []


@pytest.mark.parametrize(
    ("slope", "noise", "verdict"),
    [
        (0.1, 0.005, "A better teacher makes a better student."),
        (-0.1, 0.005, "A better teacher makes a worse student."),
        (0.0, 0.0003, "The teacher's accuracy makes no difference worth having."),
        (0.0, 0.02, "Whether the teacher's accuracy matters is not told."),
    ],
)
def test_what_is_said_of_a_slope(slope, noise, verdict):
    teachers, students = curves(8, slope, noise)
    records = records_of(teachers, students)
    (found,) = slopes(STUDY, records)
    (sentence,) = beside_contrasts(STUDY, records)
    assert sentence.endswith(f"between the worst and the best teacher. {verdict}")
    low, high = found.room
    spread = 100 * np.ptp(teachers.mean(axis=0))
    assert (low, high) == pytest.approx(
        (found.difference.low * spread, found.difference.high * spread)
    )
    ends = f"{low:.2f} to {high:.2f}".replace("-", "−")
    assert f"leaves room for {ends} points" in sentence


def test_what_few_seeds_say_of_a_slope():
    (one,) = beside_contrasts(STUDY, records_of(*curves(1, 0.1)))
    assert one.endswith(
        "1 seed, for each point of the teacher's accuracy. There is no interval yet."
    )
    (few,) = beside_contrasts(STUDY, records_of(*curves(4, 0.1, 0.001)))
    assert few.endswith("4 seeds cannot tell it from chance, however large.")


def test_the_terminal_prints_it_with_hyphens_in_80_columns():
    text = io.StringIO()
    records = records_of(*curves(8, -0.1), large=0.55)
    print_beside(STUDY, records, Console(file=text, width=80))
    printed = text.getvalue()
    assert all(len(line) <= 80 for line in printed.splitlines())
    words = " ".join(printed.split())
    assert "A better teacher makes a worse student." in words
    assert "the student it teaches: wide_cnn beside small_cnn (" in words
    assert "−" not in words


def test_an_interaction_is_a_difference_of_differences():
    arms = ("a/full", "a/none", "b/full", "b/none")
    interaction = Interaction(
        "Is it worth as much?", Contrast("b/full", "b/none"), Contrast("a/full", "a/none")
    )
    study = Study("x", "?", tuple(map(arm, arms)), interactions=(interaction,))
    generator = np.random.default_rng(0)
    values = generator.uniform(0.5, 0.9, (7, 4))
    records = [
        record(name, seed, float(value))
        for seed, row in enumerate(values)
        for name, value in zip(arms, row, strict=True)
    ]
    found = difference_of(interaction, records)
    by_hand = 100 * ((values[:, 2] - values[:, 3]) - (values[:, 0] - values[:, 1]))
    assert (found.n, found.mean) == (7, pytest.approx(by_hand.mean()))
    assert found.sd == pytest.approx(by_hand.std(ddof=1))
    (sentence,) = beside_contrasts(study, records)
    assert sentence.startswith("Is it worth as much? ")
    # A seed that lacks one arm says nothing.
    assert difference_of(interaction, records[1:]).n == 6
    assert difference_of(interaction, [own for own in records if own.arm != "a/none"]) is None
    assert beside_contrasts(study, []) == []


def test_an_interaction_of_arms_that_are_none_is_refused():
    interaction = Interaction("?", Contrast("a/x", "a/y"), Contrast("a/x", "a/z"))
    with pytest.raises(ValueError, match="a/z of a contrast among the arms"):
        Study("x", "?", (arm("a/x"), arm("a/y")), interactions=(interaction,))


SELF, NORMAL, BAD = "small_cnn/self", "small_cnn/kd", "small_cnn/de_kd"
WITH_TEACHERS = Study(
    "compare",
    "Which?",
    (
        arm(SMALL),
        arm(LARGE),
        arm(SELF, "tf_kd_self", teacher=SMALL, baseline=SMALL),
        arm(NORMAL, "normal_kd", teacher=LARGE, baseline=SMALL),
        arm(BAD, "de_kd", teacher=LARGE, teacher_epoch=1, baseline=SMALL),
    ),
)


def taught(large, *, small=0.6, seeds=3):
    found = []
    for seed in range(seeds):
        plain, better = small + 0.01 * seed, large + 0.01 * seed + 0.001 * (seed % 2)
        found += [
            record(SMALL, seed, plain),
            record(LARGE, seed, better),
            record(SELF, seed, 0.7, "small_cnn", plain),
            record(NORMAL, seed, 0.7, "wide_cnn", better),
            record(BAD, seed, 0.7, "wide_cnn@1", 0.2 + 0.001 * seed),
        ]
    return found


def test_teachers_are_measured_beside_their_students():
    better, bad = teacher_checks(WITH_TEACHERS, taught(0.64))
    assert (better.teacher, better.student, bad.teacher) == ("wide_cnn", "small_cnn", "wide_cnn@1")
    assert better.difference.mean == pytest.approx(4 + 0.1 / 3)
    assert (better.is_better, better.meant_to_be_worse) == (True, False)
    assert (bad.is_worse, bad.meant_to_be_worse) == (True, True)


def test_what_is_said_of_teachers():
    better, bad = teacher_remarks(WITH_TEACHERS, taught(0.64))
    assert better.startswith("Better than the student it teaches: wide_cnn beside small_cnn (+4.03")
    assert bad.startswith(
        "Worse than the student it teaches, as Re-KD and De-KD mean it: wide_cnn@"
    )
    worse, _ = teacher_remarks(WITH_TEACHERS, taught(0.55))
    assert worse.startswith("Worse than the student it teaches: wide_cnn beside small_cnn (−4.97")
    assert worse.endswith("What a better teacher would give is not known from these runs.")
    unsure = teacher_remarks(WITH_TEACHERS, taught(0.64, seeds=1))
    assert any(text.startswith("Not shown to be better") for text in unsure)
    assert teacher_remarks(WITH_TEACHERS, []) == []


def test_of_many_stages_only_the_last_is_measured():
    teachers, students = curves(3, 0.1)
    (check,) = teacher_checks(STUDY, records_of(teachers, students))
    assert check.teacher == "wide_cnn"
    assert check.difference.mean == pytest.approx(100 * teachers[:, 3].mean() - 60)
    assert math.isfinite(check.difference.low)
