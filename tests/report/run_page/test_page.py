"""The page of a run: its numbers are those of its logits, its pictures those of its images."""

import math
import re
import shutil
from html.parser import HTMLParser

import pytest
from safetensors.torch import load_file

from tfkd.cli import main
from tfkd.report.run_page.write import write_run_report

ROWS = "train", "validation", "test"


class Reader(HTMLParser):
    """Tables by their caption, facts, and by section the pictures: what is said, path, address."""

    def __init__(self, file):
        super().__init__()
        self.tables, self.facts, self.pictures, self.texts = {}, {}, {}, {}
        self._section, self._title, self._into, self._text = "", "", None, ""
        self.feed(file.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "section":
            self._section = attributes["id"]
            self.pictures[self._section], self.texts[self._section] = {}, ""
        elif tag == "ul" and attributes.get("class") == "gallery":
            self._title = self._last_h3
            self.pictures[self._section][self._title] = []
        elif tag == "li" and self._title:
            self.pictures[self._section][self._title].append([None])
        elif tag == "img":
            self.pictures[self._section][self._title][-1][0] = attributes["src"]
        elif tag == "tr":
            self._row = []
        if tag in ("h3", "caption", "td", "th", "dt", "dd", "p"):
            self._text = ""

    def handle_endtag(self, tag):
        if tag == "h3":
            self._last_h3 = self._text
        elif tag == "caption":
            self._caption = self.tables[self._text] = []
        elif tag in ("td", "th"):
            self._row.append(self._text)
        elif tag == "tr":
            self._caption.append(self._row)
        elif tag == "dt":
            self._name = self._text
        elif tag == "dd":
            self.facts[self._name] = self._text
        elif tag == "ul":
            self._title = ""
        elif tag == "p" and self._title:
            self.pictures[self._section][self._title][-1].append(self._text)

    def handle_data(self, data):
        self._text += data
        if self._section:
            self.texts[self._section] += data


@pytest.fixture(scope="module")
def page(run_report):
    return Reader(run_report[0])


@pytest.fixture(scope="module")
def judged(run_on_photographs):
    """Of the run that was taught: for each test image its label, answer and probabilities."""
    found = load_file(run_on_photographs / "taught" / "test.safetensors")
    probabilities = found["logits"].double().softmax(1)
    labels = found["labels"].tolist()
    return list(zip(labels, probabilities.argmax(1).tolist(), probabilities.tolist(), strict=True))


def per_cent(share, digits):
    return f"{100 * share:.{digits}f}\u00a0%"


def test_the_head_has_the_numbers_of_the_test_images(page, judged):
    right = sum(label == taken for label, taken, _ in judged)
    assert page.facts["accuracy"].startswith(per_cent(right / len(judged), 2))
    assert page.facts["always guessing"].startswith(per_cent(1 / 3, 1))
    assert page.facts["always guessing"].endswith("all have equally many test images")
    assert f"{len(judged)} test images" in page.texts["how-good"]
    nll = -sum(math.log(p[label]) for label, _, p in judged)
    assert page.facts["NLL"].startswith(f"{nll / len(judged):.3f} nats")
    assert "balanced accuracy" not in page.facts  # the classes are even
    assert "top-5 accuracy" not in page.facts  # there are three


def test_images_are_counted_by_class_and_split(page, photographs):
    rows = {row[0]: row[1:] for row in page.tables["Images by class and split"][1:]}
    assert page.tables["Images by class and split"][0] == ["class", *ROWS]
    for name, (train, validation, test) in rows.items():
        where = "*" if name == "all" else name.replace("[", "[[]").replace("*", "[*]")
        counted = [
            len(list(photographs.root.glob(f"{split}/{where}/*"))) for split in ("train", "test")
        ]
        assert [int(train) + int(validation), int(test)] == counted
    assert len(rows) == 4


def test_tables_of_classes_are_what_counting_gives(page, judged, photographs):
    names = sorted(path.name for path in (photographs.root / "test").iterdir())
    pairs = [(names[label], names[taken]) for label, taken, _ in judged]
    matrix = page.tables["Test images by label and answer"]
    assert matrix[0][1:] == names
    for row in matrix[1:]:
        counts = [pairs.count((row[0], name)) for name in names]
        assert [0 if cell == "·" else int(cell) for cell in row[1:]] == counts
    confused = [
        [a, b, str(pairs.count((a, b)))] for a in names for b in names if a != b and (a, b) in pairs
    ]
    assert sorted(row[:3] for row in page.tables["The most confused pairs"][1:]) == sorted(confused)
    order = []
    for name, precision, recall, f1, support in page.tables["Classes, the worst first"][1:]:
        hit = pairs.count((name, name))
        own, said = (sum(pair[side] == name for pair in pairs) for side in (0, 1))
        order.append(2 * hit / (own + said))
        for text, value in ((precision, hit / said), (recall, hit / own), (f1, order[-1])):
            assert float(text) == pytest.approx(100 * value, abs=0.01)
        assert int(support) == own
    assert order == sorted(order)


def test_planted_labels_are_found_in_the_test_split(page, photographs):
    wanted = photographs.planted["test"]
    for section, title, verb in (
        ("pictures", "The surest mistakes", "taken for"),
        ("labels", "By this network, of images it was not trained on", "looks like"),
    ):
        found = page.pictures[section][title][: len(wanted)]
        assert all(address.startswith("data:image/") for address, _, _ in found)
        said = {path: words.partition(",")[::2] for _, words, path in found}
        assert said.keys() == {visible(path) for path in wanted}
        for path, (label, other) in wanted.items():
            assert said[visible(path)][0] == label
            assert said[visible(path)][1].startswith(f" {verb} {other}, ")
    assert "A candidate is worth a look and proves nothing" in page.texts["labels"]


def visible(path):
    for letter, text in (("\x1b", "\\x1b"), ("\n", "\\n"), ("\u202e", "\\u202e")):
        path = path.replace(letter, text)
    return path


def test_planted_labels_are_found_in_the_training_split_by_the_teacher(page, photographs):
    found = page.pictures["labels"]["By the network that taught, of training images"]
    wanted = set(photographs.planted["train"])
    assert wanted <= {path for _, _, path in found[: len(wanted) + 2]}
    # The validation images are a tenth of the official training images.
    assert re.search(r"asked about \d+ training images", page.texts["labels"])


def test_the_least_sure_come_first(page, judged):
    found = page.pictures["pictures"]["What it is least sure of"]
    surest = sorted(max(p) for _, _, p in judged)[: len(found)]
    for (_, words, _), probability in zip(found, surest, strict=True):
        digits = 0 if probability < 0.99 else 1
        text = per_cent(probability, digits) if probability < 0.999 else f">{per_cent(0.999, 1)}"
        assert words.endswith(f", {text}")


def test_other_data_are_not_shown(run_on_photographs, photographs, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(photographs.root, moved)
    (moved / "train" / "notes.txt").write_text("no image")
    write_run_report(run_on_photographs / "run", tmp_path / "same", data_root=str(moved))
    assert "<img" in (tmp_path / "same" / "report.html").read_text()
    facts = Reader(tmp_path / "same" / "report.html").facts
    assert facts["images lie in"] == str(moved)
    assert (facts["train images"], facts["test images"]) == ("train/", "test/")
    assert facts["left out"].startswith("1 × ")
    assert "notes.txt" in facts["left out"]
    next(moved.glob("test/*/3.png")).write_bytes(next(moved.glob("test/*/4.png")).read_bytes())
    for root, why in (
        (moved, "are not those of this run: expected the same 30 test images"),
        (tmp_path / "nowhere", "are not at hand"),
    ):
        html, text = write_run_report(run_on_photographs / "run", tmp_path, data_root=str(root))
        assert why in html.read_text()
        assert why in text.read_text()
        assert "<img" not in html.read_text()
        assert "Classes, the worst first" in html.read_text()


def test_a_run_that_is_not_finished_has_what_there_is(run_on_photographs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(run_on_photographs / "run", run)
    for name in ("result.json", "SHA256SUMS", "test.safetensors", "weights.safetensors"):
        (run / name).unlink()
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(lines[:4]))
    html, _ = write_run_report(run)
    found = Reader(html)
    assert "This run is not finished: 4 of 6 epochs are." in html.read_text()
    assert list(found.texts) == ["found", "training"]
    assert [row[0] for row in found.tables["Every epoch"][1:]] == ["1", "2", "3", "4"]
    for name in ("metrics.jsonl", "data.json", "environment.json"):
        (run / name).unlink()
    html, _ = write_run_report(run)
    assert list(Reader(html).texts) == ["found"]


def test_images_in_memory_are_shown_by_their_place(finished_run, tmp_path):
    found = Reader(write_run_report(finished_run.path, tmp_path)[0])
    shown = found.pictures["pictures"]["What it is least sure of"]
    assert all(re.fullmatch(r"test image \d+", path) for _, _, path in shown)
    assert all(address.startswith("data:image/png;base64,") for address, _, _ in shown)
    assert "top-5 accuracy" in found.facts


def test_a_page_of_pictures_is_of_a_bounded_size(run_report):
    assert run_report[0].stat().st_size < 3_000_000


def test_report_decides_by_what_lies_there(run_on_photographs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["report", "nope"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("tfkd: error: Expected a run or a study in nope")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    shutil.copytree(run_on_photographs / "run", "run")
    assert main(["report", "run"]) == 0
    assert capsys.readouterr().out == "run/report.html\nrun/report.md\n"
    assert main(["train", "--config", "run/settings.json", "--out", "run"]) == 0  # still a run
    assert main(["report", "run", "--out", "there/page"]) == 0
    assert sorted(path.name for path in (tmp_path / "there/page").iterdir()) == [
        "report.html",
        "report.md",
    ]


def test_names_of_files_break_at_their_separators(run_report):
    paths = re.findall(r'<p class="path">(.*?)</p>', run_report[0].read_text())
    assert any(re.fullmatch(r"test/<wbr>.*/<wbr>\d+\.<wbr>png", path) for path in paths)
