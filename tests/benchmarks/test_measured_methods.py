"""What the pages of the methods say was measured is what the records say."""

from __future__ import annotations

import math
import statistics

from scipy import stats

from measured_methods import PAGES, PART, filled, interval, read_measured
from tfkd.method_table import BASELINE, METHODS


def test_the_pages_say_what_the_records_say():
    measured = read_measured()
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        assert filled(text, measured) == text, page.name


def test_every_method_that_was_measured_has_its_place():
    places = {
        match[2]
        for page in PAGES.glob("*.md")
        for match in PART.finditer(page.read_text(encoding="utf-8"))
    }
    of_tf_kd = {"cross_entropy", "label_smoothing", "tf_kd_reg", "tf_kd_self"}
    of_tf_kd |= {"normal_kd", "re_kd", "de_kd", "knowledge_distillation"}
    controls = {"uniform_kd"}  # there to be held against, and no method to choose
    by_larger = {"re_kd", "weak_to_strong_kd"}  # whose student is the larger network: not measured
    assert places - {"all"} == set(METHODS) - of_tf_kd - controls - by_larger
    measured = {own.method for own in read_measured()}
    assert measured == set(METHODS) - {"knowledge_distillation"} - controls - by_larger


def test_a_method_is_compared_with_cross_entropy_seed_by_seed():
    plain, *others = read_measured()
    assert plain.method == BASELINE
    for own in others:
        assert own.baseline == plain.values
        for gain, ours, theirs in zip(
            own.gains, own.values["accuracy"], plain.values["accuracy"], strict=True
        ):
            assert math.isclose(gain, 100 * (ours - theirs), abs_tol=1e-12)
        assert len(own.gains) == 10


def test_the_most_accurate_stand_first():
    _, *others = read_measured()
    means = [statistics.mean(own.values["accuracy"]) for own in others]
    assert means == sorted(means, reverse=True)


def test_the_interval_is_that_of_students_t():
    values = [0.3, 1.1, -0.2, 0.8, 0.5]
    low, high = interval(values)
    test = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert math.isclose(low, test.low) and math.isclose(high, test.high)
    assert math.isclose((low + high) / 2, statistics.mean(values))
