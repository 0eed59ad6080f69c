"""Student against teacher: slope by seed, controls, and nothing where one network teaches."""

import re

import pytest
from blank_record import BLANK
from msgspec.structs import replace
from scipy import stats

from tfkd.report.figures import teachers
from tfkd.report.study_data import StudyData
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.plan import Arm, Study
from tfkd.study.summary import summarise_study

PLAIN, TEACHER = "small_cnn/plain", "wide_cnn/plain"
STAGES = {1: 0.4, 3: 0.6, 6: 0.7}
SLOPES = (0.10, 0.14, 0.06, 0.11, 0.09, 0.12)
"""By seed, points of the student for a point of its teacher."""


def study_of(stages, *, slopes=SLOPES):
    kd = {"alpha": 0.9, "temperature": 4.0}
    taught = [f"small_cnn/kd-{epoch}" for epoch in stages]
    arms = [
        Arm(PLAIN, MethodSettings(), Recipe()),
        Arm(TEACHER, MethodSettings(), Recipe(student="wide_cnn")),
        *(
            Arm(
                name,
                MethodSettings("de_kd", numbers=kd),
                Recipe(),
                teacher=TEACHER,
                teacher_epoch=epoch,
                baseline=PLAIN,
            )
            for name, epoch in zip(taught, stages, strict=True)
        ),
        Arm(
            "small_cnn/scaled-0.5",
            MethodSettings(numbers={"scale": 0.5}),
            Recipe(),
            control="scaled",
            baseline=PLAIN,
            control_of=tuple(taught),
        ),
    ]
    accuracies = {"small_cnn/scaled-0.5": 0.75}
    records = []
    for seed, slope in enumerate(slopes):
        for arm in arms:
            accuracy, teacher = accuracies.get(arm.name, 0.8), None
            if arm.teacher is not None:
                teacher = stages[arm.teacher_epoch] + 0.01 * seed
                accuracy = 0.7 + slope * teacher
            records.append(
                replace(
                    BLANK,
                    arm=arm.name,
                    seed=seed,
                    teacher=None if teacher is None else f"wide_cnn@{arm.teacher_epoch}",
                    teacher_accuracy=teacher,
                    accuracy=accuracy,
                )
            )
    study = Study("figure-2", "How good?", tuple(arms), seeds=len(slopes))
    return StudyData(study, {}, summarise_study(study, records), records)


def test_the_slope_is_the_mean_over_seeds_with_its_t_interval():
    drawing = teachers.draw(study_of(STAGES))
    found = stats.ttest_1samp(SLOPES, 0.0)
    low, high = found.confidence_interval(0.95)
    mean = sum(SLOPES) / len(SLOPES)
    for panel in (*drawing.panels, *drawing.wide):
        assert f"slope +{mean:.3f} ({low:.3f} to {high:.3f})" in panel
    assert f"+{mean:.3f} points" in drawing.caption
    assert "A better teacher makes a better student" in drawing.caption


def test_controls_are_drawn_and_in_the_numbers():
    drawing = teachers.draw(study_of(STAGES))
    assert "cross-entropy × 0.5" in drawing.panels[0]
    assert "cross-entropy, no teacher" in drawing.panels[0]
    assert "The broken lines are controls" in drawing.caption
    by_title = {row[1]: row for row in drawing.table.rows}
    assert by_title["cross-entropy × 0.5"][6] == pytest.approx(75.0)
    assert by_title["cross-entropy"][6] == pytest.approx(80.0)


def test_each_line_lies_at_its_accuracy():
    (panel,) = teachers.draw(study_of(STAGES)).panels
    # What crosses the whole panel, from left to right: the grid of the axis, and the two arms.
    paths = re.findall(r'd="M ([\d.]+) ([\d.]+) \s*L ([\d.]+) ([\d.]+) ?\s*"', panel)
    across = [float(y1) for x1, y1, x2, y2 in paths if y1 == y2 and float(x2) > float(x1) + 150]
    # The ticks of the y-axis end at it; where a text stands is said in one of two ways.
    texts = re.findall(r"<text([^>]*text-anchor: end[^>]*)>(\d+)</text>", panel)
    where = r'translate\([\d.]+ ([\d.]+)\)|\by="([\d.]+)"'
    places = [re.search(where, attributes) for attributes, _ in texts]
    ticks = [
        (float(place[1] or place[2]), float(text))
        for place, (_, text) in zip(places, texts, strict=True)
    ]
    (y1, first), *_, (y2, last) = ticks
    points = (last - first) / (y2 - y1)

    def apart(below):
        """How far the labels are from lines, if each stands so far below its own."""
        return sum(min(abs(y - (tick - below)) for y in across) for tick, _ in ticks)

    below = min((y1 - y for y in across if 0 < y1 - y < 8), key=apart)
    assert apart(below) < 0.1
    values = [first + (y + below - y1) * points for y in across]
    for expected in (75.0, 80.0):
        assert min(abs(value - expected) for value in values) < 0.01


def test_two_stages_have_no_slope_and_one_teacher_no_figure():
    two = teachers.draw(study_of({1: 0.4, 3: 0.6}))
    assert "slope" not in two.panels[0]
    assert "slope" not in two.caption
    assert teachers.draw(study_of({1: 0.4})) is None
