"""What keeps figures readable: no two methods alike, text as text, colours of the page."""

import itertools
import re

import pytest
from matplotlib.figure import Figure

from tfkd.method_table import METHODS
from tfkd.report.figures.style import COLOURS, INK, drawing, style_of, styles_in, to_svg
from tfkd.report.study_data import Group
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.plan import CONTROLS, Arm
from tfkd.study.summary import Row, summarise


def row(method, name="arm"):
    control = method if method in CONTROLS else None
    settings = MethodSettings() if control else MethodSettings(method)
    arm = Arm(name, settings, Recipe(), control=control, baseline="plain")
    return Row(arm, method, None, {"accuracy": summarise([1.0, 2.0])}, {}, None, {})


PAPER = ("cross_entropy", "label_smoothing", *("tf_kd_reg", "tf_kd_self"), "normal_kd", "re_kd")


@pytest.mark.parametrize("family", [(*PAPER, "de_kd"), CONTROLS], ids=["paper", "controls"])
def test_methods_differ_in_colour_marker_and_line(family):
    for first, second in itertools.combinations(map(style_of, map(row, family)), 2):
        assert first.colour != second.colour
        assert first.marker != second.marker
        assert first.line != second.line


def in_common(first, second):
    return sum(ours == theirs for ours, theirs in zip(first, second, strict=True))


def test_all_methods_that_are_compared_differ_in_two_of_the_three():
    names = [name for name, method in METHODS.items() if method.taught_by != "any"]
    assert len(names) > 8
    for first, second in itertools.combinations(map(style_of, map(row, names)), 2):
        assert in_common(first, second) <= 1


def test_many_arms_of_one_method_differ_in_two_of_the_three():
    rows = tuple(row("de_kd", f"arm-{place}") for place in range(40))
    styled = styles_in(Group("student", "ours", row("cross_entropy"), rows))
    for first, second in itertools.combinations([style for _, style in styled], 2):
        assert in_common(first, second) <= 1


def test_arms_of_one_method_differ_too():
    rows = tuple(row("de_kd", f"arm-{place}") for place in range(7))
    styled = styles_in(Group("student", "ours", row("cross_entropy"), rows))
    for first, second in itertools.combinations([style for _, style in styled], 2):
        assert first.colour != second.colour
        assert first.marker != second.marker
        assert first.line != second.line


def svg(name="picture"):
    with drawing():
        figure = Figure()
        axes = figure.add_subplot()
        for colour in (*COLOURS, INK, "white"):
            axes.plot([0, 1], [0, 1], color=colour, marker="o", label="<b>$x_1$ 日")
        axes.bar([0], [1], hatch="//", color="#0072B2", edgecolor="white")
        axes.legend()
        return to_svg(figure, name, "A <title>")


def test_text_is_text_and_no_formula():
    assert "&lt;b&gt;$x_1$ 日</text>" in svg()
    assert 'aria-label="A &lt;title&gt;"' in svg()
    assert "font:" not in svg()


def test_colours_are_the_pages():
    assert not re.search(r"(fill|stroke): #", svg())
    for colour in COLOURS.values():
        assert f"var(--{colour})" in svg()


def test_ids_are_the_figures_own_and_the_picture_is_reproducible():
    first, second = svg("first"), svg("second")
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for text, own in zip((first, second), ids, strict=True):
        assert set(re.findall(r'(?:url\(|href=")#([^")]+)', text)) <= own
    assert svg("first") == first
    assert "http" not in first
