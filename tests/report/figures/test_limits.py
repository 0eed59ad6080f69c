"""Figures of studies with many arms: what is drawn, what is said of the rest, and all numbers."""

import re
from collections import Counter

import pytest
from blank_record import BLANK
from msgspec.structs import replace

from tfkd.paper.catalogue import ALL_METHODS, PAPER, make_study
from tfkd.report.figures import cost, panels
from tfkd.report.figures.beyond import BEYOND
from tfkd.report.figures.limits import MOST_ARMS, MOST_PANELS, MOST_PANELS_OF_STUDENT, within_limit
from tfkd.report.study_data import RunData, StudyData
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.plan import CONTROLS, Arm, Study
from tfkd.study.summary import Row, summarise_study, title_of


def study_of(arms, *, accuracy=()):
    """A study of cross-entropy and so many strengths of label smoothing, with one seed.

    The first ones have these accuracies.
    """
    plain = Arm("net/plain", MethodSettings(), Recipe())
    others = tuple(
        Arm(
            f"net/smoothed-{place:03}",
            MethodSettings("label_smoothing", numbers={"alpha": place / arms}),
            Recipe(),
            baseline=plain.name,
        )
        for place in range(1, arms + 1)
    )
    study = Study("many", "How many?", (plain, *others), seeds=1)
    found = dict(zip((arm.name for arm in others), accuracy, strict=False))
    records = [
        replace(BLANK, arm=arm.name, accuracy=found.get(arm.name, BLANK.accuracy))
        for arm in study.arms
    ]
    runs = {record.arm: [RunData(record, None, None, None, [], None)] for record in records}
    return StudyData(study, runs, summarise_study(study, records))


@pytest.mark.parametrize("limit", ["MOST_PANELS", "MOST_PANELS_OF_STUDENT"])
def test_a_figure_has_the_first_panels_and_says_which_are_left_out(monkeypatch, limit):
    monkeypatch.setattr(panels, limit, 2)
    drawing = cost.draw(study_of(16))
    assert len(drawing.panels) == 2
    assert "the first 2 of 3 panels" in drawing.left_out
    assert "left out: net: methods (3 of 3)." in drawing.left_out
    assert len(drawing.table.rows) == 17


def test_what_is_far_out_stretches_no_axis_and_is_said_at_its_edge():
    near = [BLANK.accuracy + 0.01 * place for place in range(-3, 4)]
    assert BEYOND not in cost.draw(study_of(7, accuracy=near)).left_out
    with_one = cost.draw(study_of(7, accuracy=[*near[:6], BLANK.accuracy - 0.4]))
    assert BEYOND in with_one.left_out
    (panel,) = with_one.panels
    assert "−40" in panel
    ticks = {float(text.replace("−", "-")) for text in re.findall(r">(−?[\d.]+)</text>", panel)}
    assert {tick for tick in ticks if tick < -10} <= {-40.0}


def test_what_fits_is_drawn_without_a_word():
    drawn, left_out = within_limit(range(MOST_ARMS), MOST_ARMS, "arms", str)
    assert list(drawn) == list(range(MOST_ARMS))
    assert left_out == ""
    assert cost.draw(study_of(3)).left_out == ""


@pytest.mark.parametrize("name", [*PAPER, ALL_METHODS])
def test_every_study_of_the_catalogue_fits(name):
    study, _ = make_study(name, controls=tuple(CONTROLS))
    rows = [Row(arm, title_of(arm), None, {}, {}, None, {}) for arm in study.arms]
    data = StudyData(study, {}, rows)
    assert len(data.groups()) <= MOST_PANELS
    of_student = Counter(group.student for group in data.groups())
    assert max(of_student.values()) <= MOST_PANELS_OF_STUDENT
    assert max(sum(row.student == name for row in rows) for name in data.students) <= MOST_ARMS
