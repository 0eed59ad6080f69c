"""What stands in the files of a study stays text in every form of its report."""

import csv
import io
import json
import re
import shutil
from html.parser import HTMLParser
from urllib.parse import unquote

import msgspec
import pytest
from markdown_it import MarkdownIt
from rich.console import Console
from study_progress import Recording

from tfkd.cli import main
from tfkd.report.terminal.study_lines import print_status
from tfkd.report.write import write_report
from tfkd.runs import MethodSettings, Recipe
from tfkd.study.directory import read_studies, write_study
from tfkd.study.execute import execute
from tfkd.study.plan import Arm, Study
from tfkd.study.records import collect, write_records
from tfkd.study.spreadsheet import harmless
from tfkd.study.status import study_status

SCRIPT = "<script>alert(1)</script>"
EVIL = (
    f"=1+1|cmd{SCRIPT}\"'><img src=x onerror=alert(1)> [x](javascript:alert(1)) $\\frac{{1$ "
    "{{7*7}} &lt; </svg></style> `*_~~ javascript:alert(1) \u202e größe 猫 قطة \uffff"
)
NAME = "=1+1|<img src=x onerror=alert(1)>\"'[x](javascript:alert(1))[/red]$x^2$`*_ 猫"
NUMBER = re.compile(r"[+-]?(\d|inf|nan)")


class Tags(HTMLParser):
    """Every tag with the names of its attributes, every address, and all text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.text = set(), set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add((tag, *sorted(name for name, _ in attributes)))
        self.addresses |= {value for name, value in attributes if name in ("href", "src")}

    def handle_data(self, data):
        self.text += data


def renamed(value, old, new):
    return json.loads(json.dumps(value).replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1]))


@pytest.fixture(scope="module")
def crafted(small_study, sealed, tmp_path_factory):
    """The small study, with evil in every place that holds text."""
    study, root, _ = small_study
    new = tmp_path_factory.mktemp("crafted")
    shutil.copytree(root / "small_cnn", new / NAME)
    plan = renamed(msgspec.to_builtins(study), "small_cnn/", f"{NAME}/")
    plan |= {
        "name": NAME.replace("/", "|"),
        "question": EVIL,
        "remarks": [EVIL, f"# {EVIL}", "~~~"],
    }
    for arm in plan["arms"]:
        if arm["published"]:
            arm["published"]["remark"] = EVIL
    study = msgspec.convert(plan, Study)
    write_study(study, new)
    for run in study.runs(new):
        for name, changes in (
            ("data.json", {"name": EVIL, "classes": [f"{n}{EVIL}" for n in range(10)]}),
            (
                "environment.json",
                {
                    "device": EVIL,
                    "device_name": EVIL,
                    "system": EVIL,
                    "commit": EVIL,
                    "versions": {EVIL: EVIL},
                },
            ),
        ):
            file = new / run.name / name
            file.write_text(json.dumps(json.loads(file.read_text()) | changes))
        sealed(new / run.name)
    return read_studies(new)[0], new, write_report(study, new, new)


def test_the_page_has_no_tag_that_an_ordinary_one_lacks(crafted, report):
    page, ordinary = Tags(crafted[2][0].read_text()), Tags(report[0].read_text())
    assert page.tags == ordinary.tags
    for address in page.addresses:
        assert re.match(r"#[\w-]+$|data:text/csv;charset=utf-8,|data:,$", address)
    assert page.text.count(SCRIPT) > 10
    assert "{{7*7}}" in page.text
    assert "猫 قطة" in page.text


def test_what_markdown_makes_of_it_is_text(crafted):
    for markdown in (MarkdownIt("commonmark"), MarkdownIt("js-default")):
        for token in markdown.parse(crafted[2][1].read_text()):
            assert token.type not in ("html_block", "fence", "code_block", "hr")
            for inner in token.children or ():
                assert inner.type not in ("html_inline", "image", "link_open", "code_inline")
    html = MarkdownIt("js-default").render(crafted[2][1].read_text())
    assert Tags(html).text.count(SCRIPT) > 5
    assert Tags(html).text.count("\n~~~\n") == 1
    assert html.count("<h1>") == 1


def test_no_cell_is_a_formula(crafted):
    study, root, files = crafted
    page = Tags(files[0].read_text())
    tables = [files[2].read_text()]
    tables += [unquote(a.partition(",")[2]) for a in page.addresses if a.startswith("data:text")]
    tables.append(write_records(study, collect(study, root).records, root)[1].read_text())
    cells = [cell for table in tables for row in csv.reader(io.StringIO(table)) for cell in row]
    assert sum(cell.startswith(f"'{NAME}/") for cell in cells) > 10
    for cell in cells:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")) or NUMBER.match(cell)


@pytest.mark.parametrize("text", ["=1", "+cmd", "-x", "@SUM(1)", "-1+1", " =1", "＝1", "＠SUM(1)"])
def test_formulas_get_an_apostrophe(text):
    assert harmless(text) == f"'{text}"
    # Where another program begins a new cell, too.
    assert harmless(f"a;{text}") == f"a;'{text}"
    assert harmless(f"a\t{text}") == f"a\t'{text}"
    assert harmless(f"\t{text}") == f"'\t'{text}"


@pytest.mark.parametrize("text", ["", "a=1", "a; b", "-0.5", "a;-0.5", "cross-entropy × 0.5", "−1"])
def test_other_text_stays_as_it_is(text):
    assert harmless(text) == text


def test_the_terminal_takes_no_name_for_markup(crafted, capsys):
    study, root, _ = crafted
    console = Console(width=400, file=io.StringIO(), markup=False, emoji=False)
    print_status(study, study_status(study, root), console)
    assert f"{NAME}/cross_entropy" in console.file.getvalue()
    assert main(["study", "status", str(root)]) == 0
    assert "[/red]" in "".join(capsys.readouterr().out.split())


LEADING_OUT = ["../x", "/etc/x", "a/../../x", "a//x", "a/./x", ".", "..", "", "a\\..\\x", "a\nb"]


def arm(name):
    return Arm(name, MethodSettings(), Recipe())


@pytest.mark.parametrize("name", [*LEADING_OUT, "x" * 5000, "\udc80", "\0"])
def test_a_plan_cannot_lead_out_of_its_directory(tmp_path, name, capsys):
    with pytest.raises(ValueError, match="relative path without"):
        arm(name)
    with pytest.raises(ValueError, match="relative path without"):
        Study(name, "?", (arm("a/x"),))
    root = tmp_path / "study"
    write_study(Study("plan", "?", (arm("a/x"),)), root)
    file = root / "plan.study.json"
    plan = json.loads(file.read_text())
    plan["arms"][0]["name"] = name
    file.write_text(json.dumps(plan))
    for command in (["study", "status"], ["report"]):
        assert main([*command, str(root)]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"tfkd: error: Expected {file} as this program writes it")
        assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["study"]
    assert [path.name for path in root.iterdir()] == ["plan.study.json"]


def test_a_study_name_is_the_name_of_a_file():
    with pytest.raises(ValueError, match="without `/`"):
        Study("a/b", "?", (arm("a/x"),))


@pytest.mark.parametrize("place", ["small_cnn", "small_cnn/de_kd/seed-0", "snapshots"])
def test_a_link_cannot_lead_out_either(small_study, tmp_path, place, capsys):
    study, root, _ = small_study
    outside, inside = tmp_path / "outside", tmp_path / "study"
    shutil.copytree(root, inside)
    write_study(study, inside)
    linked = inside / place
    if place == "snapshots":
        linked = inside / "small_cnn/cross_entropy/seed-0/snapshots"
    linked.rename(outside)
    linked.symlink_to(outside)
    before = sorted(outside.rglob("*"))
    for command in (["study", "status"], ["report"]):
        assert main([*command, str(inside)]) == 2
        assert "leads to" in capsys.readouterr().err
    assert sorted(outside.rglob("*")) == before


FILES = ("settings.json", "result.json", "data.json", "SHA256SUMS", "test.safetensors")
FOLDERS = ("tensorboard", "teacher-cache", "teacher-cache/0123456789abcdef")


@pytest.mark.parametrize("name", [*FILES, *FOLDERS, "snapshots/epoch-1.safetensors", "plan"])
def test_no_link_within_a_run_leads_out_of_its_study(small_study, tmp_path, name, capsys):
    study, root, _ = small_study
    outside, inside = tmp_path / "outside", tmp_path / "study"
    shutil.copytree(root, inside)
    write_study(study, inside)
    linked = inside / "small_cnn/cross_entropy/seed-0" / name
    if name == "plan":
        linked = inside / "small.study.json"
    if name in FOLDERS:
        linked.mkdir(parents=True)
    linked.rename(outside)
    linked.symlink_to(outside)
    for command in (["study", "status"], ["report"]):
        assert main([*command, str(inside)]) == 2
        assert f"{linked} within {inside}, but it leads to {outside}" in capsys.readouterr().err
    if name != "plan":
        with pytest.raises(ValueError, match="leads to"):
            execute(study.runs(inside), inside, jobs=1, progress=Recording())
    # Within the study it may lead anywhere.
    linked.unlink()
    outside.rename(inside / "elsewhere")
    linked.symlink_to(inside / "elsewhere")
    assert main(["study", "status", str(inside)]) == 0


def test_what_killed_writers_of_a_study_left_is_removed(small_study, tmp_path, capsys):
    study, root, _ = small_study
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    write_study(study, tmp_path)
    names = ["study.json", "jsonl", "csv", "html", "md", "table.csv"]
    left = {f".small.{name}.abcd_123.tmp" for name in names}
    mine = {".notes.tmp", ".other.html.abcd_123.tmp", ".small.abcd_123.tmp", ".small.html.tmp"}

    def hidden():
        for name in left | mine:
            (tmp_path / name).write_text("half")
        return lambda: {file.name for file in tmp_path.glob(".*")}

    found = hidden()
    assert main(["report", str(tmp_path)]) == 0
    assert found() == mine
    found = hidden()
    write_study(study, tmp_path)  # as whoever goes on with it does first
    assert found() == mine


def test_a_link_to_the_whole_study_is_followed(small_study, tmp_path):
    study, root, records = small_study
    (tmp_path / "link").symlink_to(root)
    assert collect(study, tmp_path / "link").records == records


def test_the_teachers_name_comes_from_the_plan(small_study, sealed, tmp_path):
    study, root, records = small_study
    shutil.copytree(root, tmp_path / "study")
    for file in (tmp_path / "study").rglob("settings.json"):
        settings = json.loads(file.read_text())
        if settings["teacher"]:
            settings["teacher"]["run"] = "../../elsewhere"
        file.write_text(json.dumps(settings))
        sealed(file.parent)
    kept = list((tmp_path / "study").rglob("epoch-1.json"))
    assert len(kept) == 2
    assert collect(study, tmp_path / "study").records == records


def test_a_damaged_cache_of_a_snapshot_is_measured_again(small_study, tmp_path):
    study, root, records = small_study
    shutil.copytree(root, tmp_path / "study")
    kept = sorted((tmp_path / "study").rglob("epoch-1.json"))
    whole = [file.read_bytes() for file in kept]
    for damage in (lambda c: c[:40], lambda c: c.replace(b"0.", b"1.", 1), lambda c: b"[1]\n"):
        for file, content in zip(kept, whole, strict=True):
            file.write_bytes(damage(content))
        found = collect(study, tmp_path / "study").records
        for ours, theirs in zip(found, records, strict=True):
            assert ours.teacher_accuracy == theirs.teacher_accuracy
        assert [file.read_bytes() for file in kept] == whole


def test_dialects_are_known_ones():
    with pytest.raises(ValueError, match="`dialect`"):
        MethodSettings("tf_kd_reg", SCRIPT)
