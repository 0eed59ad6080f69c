"""The report: its numbers are those of the records, in every form, and it needs nothing else."""

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from statistics import mean, stdev
from urllib.parse import unquote

import pytest
from msgspec.structs import replace

from tfkd.report import page as report_page
from tfkd.report.glance import glance
from tfkd.report.write import write_report

PLAIN = "small_cnn/cross_entropy"


class Reader(HTMLParser):
    """Tables as rows of text, and every start tag with its attributes."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.tags, self.words, self._cell = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._cell = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.tables[-1][-1].append(self._cell)
            self._cell = None

    def handle_data(self, data):
        self.words.append(data)
        if self._cell is not None:
            self._cell += data

    def results(self):
        """The tables of results: those before the tables of figures."""
        return [table for table in self.tables if table[0][0] == "method"]


def values(records, arm, metric, factor=1.0):
    found = {r.seed: factor * getattr(r, metric) for r in records if r.arm == arm}
    return [found[seed] for seed in sorted(found)]


def linked_csv(address):
    kind, _, text = address.partition(",")
    assert kind == "data:text/csv;charset=utf-8"
    return list(csv.DictReader(unquote(text).splitlines()))


def markdown_tables(text):
    tables = []
    for block in text.split("\n\n"):
        if block.startswith("| "):
            lines = block.splitlines()
            rows = [line[2:-2].split(" | ") for line in [lines[0], *lines[2:]]]
            tables.append([[re.sub(r"\\(.)", r"\1", cell).strip() for cell in row] for row in rows])
    return tables


def test_the_numbers_of_the_page_are_those_of_the_records(small_study, report):
    _, _, records = small_study
    tables = Reader(report[0].read_text()).results()
    rows = {}
    for table in tables:
        for row in table[1:]:
            rows.setdefault(row[0], {}).update(zip(table[0], row, strict=True))
    plain = values(records, PLAIN, "accuracy", 100)
    for title, arm in {
        "cross-entropy": PLAIN,
        "Tf-KD_reg": "small_cnn/tf_kd_reg",
        "De-KD, as released": "small_cnn/de_kd",
        "cross-entropy × 0.5": "small_cnn/scaled-0.5",
    }.items():
        row, found = rows[title], values(records, arm, "accuracy", 100)
        assert row["test accuracy %"] == f"{mean(found):.2f} ± {stdev(found):.2f}"
        nll = values(records, arm, "nll")
        assert row["NLL"] == f"{mean(nll):.3f} ± {stdev(nll):.3f}"
        assert row["n"] == "2"
        if arm != PLAIN:
            difference = mean(a - b for a, b in zip(found, plain, strict=True))
            assert float(row["difference"].replace("−", "-")) == pytest.approx(
                difference, abs=0.0051
            )
    released = rows["De-KD, as released"]
    assert (released["the paper's %"], released["the paper's gain"]) == ("70.65 ± 0.35", "+2.27")
    teacher = mean(values(records, "small_cnn/de_kd", "teacher_accuracy", 100))
    assert released["teacher"] == f"small_cnn@1 ({teacher:.1f} %)"
    assert rows["cross-entropy"]["difference"] == ""


def test_markdown_says_the_same_as_the_page(report):
    page, text = Reader(report[0].read_text()), report[1].read_text()
    tables = [[[" ".join(c.split()) for c in row] for row in table] for table in page.results()]
    assert [table for table in markdown_tables(text) if table[0][0] == "method"] == tables
    words = " ".join(" ".join(page.words).split())
    plain = text.replace("\\_", "_").replace("&lt;", "<")
    for line in re.findall(
        r"^ *- (?:\*\*.*?\*\*: )?(.*over cross-entropy.*|.*against cross.*)", plain, re.M
    ):
        assert line.strip() in words


def test_csv_has_every_arm_and_every_number(small_study, report):
    study, _, records = small_study
    with report[2].open() as file:
        rows = {row["arm"]: row for row in csv.DictReader(file)}
    assert list(rows) == [arm.name for arm in study.arms]
    for arm, row in rows.items():
        for metric in ("accuracy", "ece", "aurc", "train_accuracy"):
            expected = mean(values(records, arm, metric, 100))
            assert float(row[f"{metric}_mean"]) == pytest.approx(expected)
        for metric in ("nll", "brier", "seconds"):
            assert float(row[f"{metric}_mean"]) == pytest.approx(mean(values(records, arm, metric)))
        compared = arm != PLAIN
        for column in ("difference", "p", "adjusted_p", "ece_difference"):
            assert bool(row[column]) is compared
        assert row["difference_low"] == row["ece_low"] == ""  # of two seeds
        if compared:
            assert float(row["smallest_p"]) == 0.5
    assert float(rows["small_cnn/de_kd"]["published_gain"]) == 2.27


def test_the_page_needs_nothing_but_itself(report):
    text = report[0].read_text()
    page = Reader(text)
    assert not {"script", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, value)
    assert not re.search(r"url\((?!#)|@import|https?://", text)
    policy = [a["content"] for t, a in page.tags if a.get("http-equiv")]
    assert policy[0].startswith("default-src 'none'")


def test_ids_are_unique_and_every_reference_has_its_target(report):
    text = report[0].read_text()
    page = Reader(text)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {a["href"][1:] for _, a in page.tags if a.get("href", "").startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", text))
    assert wanted <= set(ids)


def test_every_figure_has_words_and_its_numbers(small_study, report):
    _, _, records = small_study
    page = Reader(report[0].read_text())
    links = {
        attributes["download"]: linked_csv(attributes["href"])
        for tag, attributes in page.tags
        if tag == "a" and "download" in attributes
    }
    figures = sum(tag == "figure" for tag, _ in page.tags)
    assert figures == 8
    assert len(links) == figures + 1
    for drawn in (attributes for tag, attributes in page.tags if tag == "svg"):
        seen = drawn.get("role") == "img" and drawn.get("aria-label")
        assert seen or drawn.get("aria-hidden") == "true"  # beside its number in words
    assert sum(tag == "figcaption" for tag, _ in page.tags) == figures
    curves = links["small-curves.csv"]
    assert len(curves) == 5 * 2
    last = next(row for row in curves if row["epoch"] == "2" and row["arm"] == "Tf-KD_reg")
    found = values(records, "small_cnn/tf_kd_reg", "validation_accuracy", 100)
    assert float(last["validation accuracy"]) == pytest.approx(mean(found))
    assert float(last["validation accuracy sd"]) == pytest.approx(stdev(found))
    bins = [
        row
        for row in links["small-reliability.csv"]
        if (row["arm"], row["told"]) == ("cross-entropy", "as it comes")
    ]
    right = sum(float(row["images of one network"]) * float(row["accuracy"]) for row in bins)
    total = sum(float(row["images of one network"]) for row in bins)
    assert total == 596
    assert 100 * right / total == pytest.approx(mean(values(records, PLAIN, "accuracy", 100)))
    risks = links["small-risk-coverage.csv"][-1]
    assert float(risks["small_cnn: cross-entropy"]) == pytest.approx(100 - 100 * right / total)


def test_the_page_says_what_a_figure_leaves_out(small_study, tmp_path, monkeypatch):
    study, root, _ = small_study
    monkeypatch.setattr(glance, "MOST_ARMS", 2)
    html, _, _ = write_report(study, root, tmp_path / "out")
    caption = " ".join(" ".join(Reader(html.read_text()).words).split())
    assert "Drawn are the first 2 of 4 arms of small_cnn" in caption


def test_text_from_files_is_text(small_study, sealed, tmp_path):
    study, root, _ = small_study
    evil = "<script>alert('$x_1$ |')</script>"
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    for file in copy.glob("**/data.json"):
        data = json.loads(file.read_text())
        data["classes"][0] = evil
        file.write_text(json.dumps(data))
        sealed(file.parent)
    study = replace(study, question=f"Is it {evil}?", remarks=(evil,))
    html, markdown, _ = write_report(study, copy, tmp_path / "out")
    page = Reader(html.read_text())
    assert "script" not in {tag for tag, _ in page.tags}
    assert evil in "".join(page.words)
    assert "<script" not in html.read_text()
    assert "<script" not in markdown.read_text()


def test_an_unfinished_study_says_so(small_study, tmp_path):
    study, root, _ = small_study
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    (copy / "small_cnn/tf_kd_reg/seed-1/result.json").unlink()
    shutil.rmtree(copy / "small_cnn/scaled-0.5")
    html, markdown, table = write_report(study, copy, tmp_path / "out")
    for text in (html.read_text(), markdown.read_text()):
        assert "not finished: 7 of 10 runs are" in text
        assert "no finished run yet" in text
        assert "small_cnn/tf_kd_reg (1)" in text
    with table.open() as file:
        rows = {row["arm"]: row for row in csv.DictReader(file)}
    assert rows["small_cnn/scaled-0.5"]["n"] == "0"
    assert rows["small_cnn/scaled-0.5"]["accuracy_mean"] == ""


def test_a_study_without_any_run_has_a_page(small_study, tmp_path):
    study, _, _ = small_study
    html, _, _ = write_report(study, tmp_path / "nothing", tmp_path / "out")
    assert "0 of 10 runs are" in html.read_text()


def test_a_run_without_its_logits_is_left_out_of_their_figures(small_study, tmp_path):
    study, root, _ = small_study
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    for file in copy.glob("small_cnn/tf_kd_reg/*/test.safetensors"):
        file.unlink()
    html, _, _ = write_report(study, copy, tmp_path / "out")
    text = unquote(html.read_text())
    _, _, reliability = text.partition("small-reliability.csv")
    assert "Tf-KD_reg" not in reliability[: reliability.index('">')]
    for file in copy.glob("**/test.safetensors"):
        file.unlink()
    html, _, _ = write_report(study, copy, tmp_path / "out")
    assert "small-reliability.csv" not in html.read_text()
    assert "small-at-a-glance.csv" in html.read_text()


def test_many_verdicts_are_folded_and_few_are_not(small_study, tmp_path, monkeypatch):
    study, root, _ = small_study
    for most, folded in ((2, False), (1, True)):
        monkeypatch.setattr(report_page, "MOST_VERDICTS", most)
        html, markdown, _ = write_report(study, root, tmp_path / str(most))
        assert ("<summary>2 verdicts, one by one" in html.read_text()) is folded
        assert "- **too few seeds to tell**: Tf-KD_reg" in markdown.read_text()
