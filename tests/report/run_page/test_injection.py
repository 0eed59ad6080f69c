"""Names of classes and files, and all else that a run's files hold, stay text in its page."""

import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from tfkd.report.run_page.write import write_run_report

EVIL = (
    "=1+1|cmd<script>alert(1)</script>\"'><img src=x onerror=alert(1)> [x](javascript:alert(1)) "
    "{{7*7}} &lt; </svg></style> `*_~~ \u202e 猫 \uffff"
)


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


@pytest.fixture(scope="module")
def ordinary(finished_run, tmp_path_factory):
    return write_run_report(finished_run.path, tmp_path_factory.mktemp("ordinary"))


@pytest.fixture(scope="module")
def crafted(run_on_photographs, sealed, tmp_path_factory):
    """A run of which every file that holds text holds evil; its images are not at hand."""
    run = tmp_path_factory.mktemp("crafted") / "run"
    shutil.copytree(run_on_photographs / "run", run)
    for name, changes in (
        ("data.json", {"name": EVIL, "classes": [f"{n}{EVIL}" for n in range(3)]}),
        ("environment.json", {"device": EVIL, "commit": EVIL, "versions": {EVIL: EVIL}}),
    ):
        file = run / name
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    sealed(run)
    return write_run_report(run)


@pytest.mark.parametrize("which", ["crafted", "run_report"])
def test_the_page_has_no_tag_that_an_ordinary_one_lacks(which, ordinary, request):
    page = Tags(request.getfixturevalue(which)[0].read_text())
    assert page.tags - {("wbr",)} <= Tags(ordinary[0].read_text()).tags
    for address in page.addresses:
        assert re.match(
            r"#[\w-]+$|data:text/csv;charset=utf-8,|data:image/(png|jpeg);base64,[\w+/=]+$|data:,$",
            address,
        )
    assert "\u202e" not in page.text
    assert "\x1b" not in page.text


def test_the_page_shows_evil_as_it_is_written(crafted, run_report, photographs):
    assert Tags(crafted[0].read_text()).text.count("<script>alert(1)</script>") > 10
    assert "{{7*7}}" in Tags(crafted[0].read_text()).text
    page = Tags(run_report[0].read_text()).text
    for path in photographs.planted["test"]:
        shown = path.replace("\x1b", "\\x1b").replace("\n", "\\n").replace("\u202e", "\\u202e")
        assert shown in page


@pytest.mark.parametrize("which", ["crafted", "run_report"])
def test_what_markdown_makes_of_it_is_text(which, request):
    text = request.getfixturevalue(which)[1].read_text()
    for markdown in (MarkdownIt("commonmark"), MarkdownIt("js-default")):
        for token in markdown.parse(text):
            assert token.type not in ("html_block", "fence", "code_block", "hr")
            for inner in token.children or ():
                assert inner.type not in ("html_inline", "image", "link_open", "code_inline")
    assert MarkdownIt("js-default").render(text).count("<h1>") == 1


CHANGES = [
    ("metrics.jsonl", '"train_loss":', "1e308"),
    ("metrics.jsonl", '"validation_nll":', "null"),
    ("metrics.jsonl", '"learning_rate":', "-1e308"),
    ("metrics.jsonl", '"epoch":', "-5"),
    ("result.json", '"seconds": ', "1e308"),
    ("result.json", '"accuracy": ', "2.5"),
    ("result.json", '"nll": ', "-1e308"),
    ("result.json", '"test": ', "0"),
    ("data.json", '"train": ', "-3"),
    ("environment.json", '"threads": ', "1e30"),
]


@pytest.mark.parametrize(("name", "key", "value"), CHANGES)
def test_a_run_with_one_value_changed_gives_a_page_or_a_line(
    finished_run, sealed, tmp_path, name, key, value
):
    run = tmp_path / "run"
    shutil.copytree(finished_run.path, run)
    text, count = re.subn(
        rf"({re.escape(key)})[^,\n}}]+", rf"\g<1>{value}", (run / name).read_text()
    )
    assert count
    (run / name).write_text(text)
    sealed(run)
    try:
        assert "</html>" in write_run_report(run, seconds=0.0)[0].read_text()
    except ValueError as error:
        assert str(run) in str(error)
        assert not list(run.glob("report*"))
