"""The first figure: what is drawn are the numbers of the records, in their order."""

import dataclasses
import re
from html.parser import HTMLParser
from statistics import mean

import pytest
from blank_record import BLANK
from msgspec.structs import replace

from tfkd.report.figures.beyond import BEYOND
from tfkd.report.figures.limits import MOST_ARMS
from tfkd.report.glance import glance
from tfkd.report.glance.axis import axis_over
from tfkd.report.page import make_page
from tfkd.report.render import to_html, to_markdown
from tfkd.report.study_data import StudyData, read_study
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.conclusions import conclude_claims
from tfkd.study.plan import Arm, Contrast, Study
from tfkd.study.summary import summarise_study

PLAIN = "net/plain"
SEEDS = 4
GAINS = {"small": 0.3, "large": 1.2, "loss": -0.7, "control": 0.1}


def study_of(gains, *, calibrated=True, worthwhile=0.2, seeds=SEEDS):
    """Arms with gains in points that differ a little by seed, and calibration that is known."""
    arms = [Arm(PLAIN, MethodSettings(), Recipe())]
    for place, name in enumerate(gains, 1):
        is_control = name == "control"
        method = MethodSettings("label_smoothing", numbers={"alpha": place / 100})
        if is_control:
            method = MethodSettings(numbers={"scale": 0.5})
        control = "scaled" if is_control else None
        arms.append(Arm(f"net/{name}", method, Recipe(), baseline=PLAIN, control=control))
    study = Study("s", "Which?", tuple(arms), seeds=seeds, worthwhile=worthwhile)
    records = []
    for arm in arms:
        gain = gains.get(arm.name.partition("/")[2], 0.0)
        for seed in range(seeds):
            record = replace(
                BLANK,
                arm=arm.name,
                seed=seed,
                accuracy=0.8 + 0.01 * seed + gain / 100 * (0.9 if seed % 2 else 1.1),
                nll=0.5 - gain / 20,
                aurc=0.05 + gain / 1000,
                seconds=10.0 * (1 + abs(gain)),
            )
            if calibrated:
                record = replace(
                    record,
                    temperature=1.5,
                    calibrated_nll=0.4 + gain / 20 * (0.9 if seed % 2 else 1.1),
                    calibrated_ece=0.01,
                    calibrated_brier=0.1,
                    calibrated_aurc=0.05 + gain / 2000,
                    calibrated_augrc=0.02,
                )
            records.append(record)
    return StudyData(study, {}, summarise_study(study, records), records)


def glance_of(data):
    (found,) = glance.glances(data, conclude_claims(data.study, data.rows))
    return found


class Strips(HTMLParser):
    """By line of the first figure, the drawn parts of its strips."""

    def __init__(self, text):
        super().__init__()
        self.lines, self._kind = [], None
        self.feed(text[text.index('<table class="glance"') : text.index("</tbody>")])

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "tr":
            self.lines.append([])
        elif tag == "svg" and found["class"] == "strip":
            self.lines[-1].append({"label": found["aria-label"]})
        elif tag == "rect" and found["class"] == "band":
            self.lines[-1][-1]["band"] = number(found["x"]), number(found["width"])
        elif tag == "g":
            self._kind = found["class"]
        elif tag == "line":
            at = number(found["x1"]), number(found["x2"])
            self.lines[-1][-1]["zero" if found.get("class") == "zero" else self._kind] = at
        elif tag == "circle":
            self.lines[-1][-1][f"{self._kind} mean"] = number(found["cx"])


def number(text):
    assert text.endswith("%")
    return float(text[:-1])


def test_what_is_drawn_are_the_differences_and_their_intervals():
    data = study_of(GAINS, worthwhile=0.25)
    found = glance_of(data)
    drawn = Strips(to_html(make_page(data))).lines[1:]
    rows = {data.name_in_figure(row): row for row in data.rows}
    assert len(drawn) == len(found.lines) == 5
    for line, strips in zip(found.lines, drawn, strict=True):
        assert len(strips) == 3
        for measure, axis, strip in zip(found.measures, found.axes, strips, strict=True):

            def value(place, axis=axis):
                return axis.low + place / 100 * (axis.high - axis.low)

            close = {"abs": 2e-4 * (axis.high - axis.low)}
            assert value(strip["zero"][0]) == pytest.approx(0.0, **close)
            if measure.metric == "accuracy":
                assert value(strip["band"][0]) == pytest.approx(-0.25, **close)
                assert value(sum(strip["band"])) == pytest.approx(0.25, **close)
            if line.seconds:
                assert "calibrated mean" not in strip
                continue
            differences = rows[line.title].differences
            expected = {"calibrated": differences[measure.calibrated]}
            if measure.metric != "accuracy":
                expected["raw"] = differences[measure.metric]
            for kind, difference in expected.items():
                assert value(strip[f"{kind} mean"]) == pytest.approx(difference.mean, **close)
                assert value(strip[kind][0]) == pytest.approx(difference.low, **close)
                assert value(strip[kind][1]) == pytest.approx(difference.high, **close)


def test_lines_are_sorted_controls_last_and_say_what_is_drawn():
    found = glance_of(study_of(GAINS))
    assert [line.is_control for line in found.lines] == [False] * 4 + [True]
    texts = [line.strips[0].text for line in found.lines]
    assert texts == ["81.50 %", "+1.20", "+0.30", "−0.70", "+0.10"]
    best = found.lines[1]
    nll = best.strips[1]
    assert (nll.text, nll.before, nll.before_interval) == ("+0.060", "−0.060", "no spread")
    assert (best.cost.own, best.cost.total) == (pytest.approx(2.2), pytest.approx(2.2))
    assert best.cost.text == "× 2.2"
    assert found.lines[0].seconds == "10 s"
    baseline = found.lines[0].strips
    assert (baseline[1].text, baseline[1].before) == ("0.400", "0.500")


def test_markdown_has_the_answer_first_and_the_same_numbers():
    data = study_of(GAINS)
    text = to_markdown(make_page(data))
    places = [text.index(part) for part in ("## The answer", "At a glance", "## Verdicts")]
    places += [text.index(part) for part in ("## Tables", "## What was run")]
    assert places == sorted(places)
    for line in glance_of(data).lines:
        cells = " | ".join(strip.words for strip in line.strips)
        assert cells in text


def test_a_contrast_has_a_line_of_its_own_with_its_verdict():
    data = study_of(GAINS, seeds=8)
    study = replace(
        data.study, contrasts=(Contrast("net/large", "net/small"), Contrast("net/small", PLAIN))
    )
    data = StudyData(study, {}, summarise_study(study, data.records), data.records)
    found = glance_of(data)
    assert [bool(line.over) for line in found.lines] == [False] * 4 + [True, False]
    line = found.lines[4]
    assert (line.strips[0].text, line.verdict, line.tone) == ("+0.90", "better", "gain")
    assert line.over == found.lines[2].title
    # The arm that is claimed against cross-entropy has that verdict, the others none.
    assert [each.verdict for each in found.lines[1:4]] == ["", "better", ""]
    # NLL after one temperature rises with the gain: it is worse, and that is said.
    assert [strip.told for strip in line.strips] == ["", "worse", "worse"]
    assert f"over {line.over}" in to_markdown(make_page(data))
    assert "Lines with “over”" in to_html(make_page(data))


def test_controls_are_spoken_of_only_where_there_are_some():
    shaded = "Shaded lines are controls"
    assert shaded in to_html(make_page(study_of(GAINS)))
    without = study_of({name: gain for name, gain in GAINS.items() if name != "control"})
    assert shaded not in to_html(make_page(without))
    assert "Controls" not in make_page(without).how_to_read_tables


def test_records_without_calibration_are_drawn_as_they_come():
    data = study_of(GAINS, calibrated=False)
    found = glance_of(data)
    assert not found.has_calibrated
    (mark,) = found.lines[1].strips[1].marks
    assert not mark.calibrated
    assert found.lines[1].strips[1].text == "−0.060"
    assert "calibrated NLL" not in make_page(data).tables[-1].columns


def test_one_seed_has_a_dot_and_no_interval():
    found = glance_of(study_of(GAINS, seeds=1))
    strip = found.lines[1].strips[0]
    assert strip.interval == ""
    assert strip.marks[0].low == strip.marks[0].mean == strip.marks[0].high


def test_what_is_far_out_is_an_arrow_with_its_number():
    near = {f"near-{place}": 0.1 * place for place in range(-4, 5)}
    far = glance_of(study_of(near | {"far": -40.0}))
    assert BEYOND in far.left_out
    assert BEYOND not in glance_of(study_of(near)).left_out
    assert far.axes[0].low > -2.0
    (last,) = [line for line in far.lines if line.strips[0].text == "−40.00"]
    assert last.strips[0].marks[0].beyond == "left"


def test_the_first_arms_are_drawn_and_the_others_named():
    data = study_of({f"arm-{place:03}": 0.001 * place for place in range(MOST_ARMS + 2)}, seeds=1)
    found = glance_of(data)
    assert len(found.lines) == MOST_ARMS + 1
    assert f"the first {MOST_ARMS} of {MOST_ARMS + 2} arms of net" in found.left_out
    assert len(glance.numbers(data, []).rows) == MOST_ARMS + 2


@pytest.mark.parametrize("ends", [(-1.0, 1.0), (0.0, 0.0), (-3e-4, 1e-4), (2.0, 250.0)])
def test_ticks_are_round_and_lie_where_they_say(ends):
    axis = axis_over(ends)
    assert 1 <= len(axis.ticks) <= 4
    for place, text in axis.ticks:
        value = float(text.replace("−", "-"))
        assert axis.place(value) == pytest.approx(place, abs=0.02)
        assert len(re.sub(r"[^1-9]", "", text)) <= 1 or abs(value) >= 10


def test_the_teachers_training_counts_in_full_and_up_to_its_snapshot(small_study):
    study, root, _ = small_study
    data = read_study(study, root)
    found = {line.title: line for line in glance_of(data).lines}
    taught = found["De-KD, as released"]
    plain, own = data.runs["small_cnn/cross_entropy"], data.runs["small_cnn/de_kd"]
    unit = mean(run.seconds for run in plain)  # the median of two is their mean
    with_teacher = mean(
        run.seconds + teacher.history[0].seconds for run, teacher in zip(own, plain, strict=True)
    )
    assert taught.cost.own == pytest.approx(mean(run.seconds for run in own) / unit)
    assert taught.cost.total == pytest.approx(with_teacher / unit)
    assert taught.taught_by == "small_cnn@1"


def test_where_an_interval_leaves_out_0_and_it_is_not_told_the_corrected_p_says_why():
    data = study_of({"large": 1.2}, seeds=8)
    (claim,) = conclude_claims(data.study, data.rows)
    measured = dataclasses.replace(
        claim.metrics["accuracy"], adjusted_p=0.0812, verdict="not told apart"
    )
    metrics = {**claim.metrics, "accuracy": measured}
    claim = dataclasses.replace(claim, metrics=metrics, conclusion="not told apart")
    (found,) = glance.glances(data, [claim])
    assert found.lines[1].verdict == "not told apart, corrected p 0.081"
