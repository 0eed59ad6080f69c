"""Every page of the documentation: its code runs, its links lead somewhere, it has a question."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pages import PAGES, ROOT, begins_with_its_question, blocks_of, headings_of, links_of, world

import tfkd
from tfkd.cli import main
from tfkd.cli.command import Command, Group
from tfkd.cli.commands import COMMANDS
from tfkd.cli.parser import command_parser

ELSEWHERE = {
    "calibration.md": "metrics/test_documented.py",
    "export.md": "train/trained/test_export.py",
    "own-images.md": "test_own_images.py",
    "tuning.md": "tune/test_page.py",
}
"""Pages whose examples want a world of their own, and the tests that run them; beside these the
pages of methods, and of hosts."""

MADE = ("commands.md", "changelog.md", "contributing.md", "results.md", "api")
"""Pages that are made when the site is built."""

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT / "docs").as_posix()


README = ROOT / "README.md"

HERE = [
    README,
    *(
        page
        for page in PAGES
        if blocks_of(page) and name_of(page) not in ELSEWHERE and page.parent.name == "docs"
    ),
]


@pytest.mark.parametrize("page", HERE, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks_of(page):
        torch.manual_seed(0)
        exec(block, world())
    assert capsys.readouterr().out == "".join(blocks_of(page, "text"))


def test_every_example_is_run_by_some_test() -> None:
    for page in PAGES:
        name = name_of(page)
        if not blocks_of(page) or page in HERE or name.startswith("methods/"):
            continue
        if name.startswith("hosts/"):
            tests = (ROOT / "tests" / "adapters").glob("test_*.py")
        else:
            tests = iter([ROOT / "tests" / ELSEWHERE[name]])
        assert any(page.name in test.read_text(encoding="utf-8") for test in tests), name


@by_page
def test_a_command_prints_what_is_shown(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for block in blocks_of(page, "console"):
        command, _, shown = block.partition("\n")
        assert main(shlex.split(command.removeprefix("$ tfkd "))) == 0
        assert capsys.readouterr().out == shown


@pytest.mark.long
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("page", ["install.md", "ten-lines.md"])
def test_the_commands_of_a_page_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^ {4}tfkd (.*)$", (ROOT / "docs" / page).read_text("utf-8"), re.MULTILINE)
    assert lines
    for line in lines:
        assert main(shlex.split(line)) == 0
        assert capsys.readouterr().out


@by_page
def test_links_lead_somewhere(page: Path) -> None:
    for file, heading in links_of(page):
        found = (page.parent / file).resolve() if file else page
        if found.is_relative_to(ROOT / "docs"):
            inside = found.relative_to(ROOT / "docs").as_posix()
            if inside.partition("/")[0] in MADE:
                continue
        assert found.is_file(), file
        if heading and not heading.startswith("only-"):
            assert heading in headings_of(found), f"{file}#{heading}"


@by_page
def test_a_page_begins_with_the_question_that_it_answers(page: Path) -> None:
    if page.parent.name != "hosts":  # which all answer that of your-loop.md
        assert begins_with_its_question(page)


@pytest.fixture
def site_modules(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import what makes pages of the site, without mkdocs."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts" / "site"))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(ROOT / "scripts")):
            del sys.modules[name]


def test_the_reference_has_every_option_of_every_command(site_modules: Any) -> None:
    text = site_modules("command_pages").text()
    shared = text.partition("## Options of a run")[2]

    def look(prog: str, found: Command | Group) -> None:
        if isinstance(found, Group):
            for name, inner in found.commands.items():
                look(f"{prog} {name}", inner)
            return
        own = re.split(r"^## ", text.partition(f"\n## {prog}\n")[2], flags=re.MULTILINE)[0]
        assert own, prog
        typed = re.findall(r"^  (--[\w-]+)", command_parser(prog, found).format_help(), re.M)
        assert len(typed) > 1
        for option in {*typed} - {"--config", "--print-config"}:
            assert re.search(rf"^\| `{option}[ `]", own + shared, re.MULTILINE), (prog, option)

    look("tfkd", Group("", COMMANDS))


def test_a_long_name_in_a_table_is_broken_between_its_words_alone(site_modules: Any) -> None:
    breakable = site_modules("long_names").breakable
    name = "<code>tfkd.binary_kd(network)</code>"
    broken = "<code>tfkd.<wbr>binary_<wbr>kd(<wbr>network)</code>"
    assert breakable(f"<p>{name}</p><td>a_b {name}</td>") == f"<p>{name}</p><td>a_b {broken}</td>"
    option = "<td><code>--label-separator WORD</code></td>"
    assert breakable(option) == option


def test_the_reference_has_every_public_name(site_modules: Any) -> None:
    reference = site_modules("api_pages")
    pages = reference.texts()
    for name in tfkd.__all__:
        shown = [page for page, text in pages.items() if f"\n::: tfkd.{name}\n" in text]
        assert len(shown) == 1, name
    for module in (tfkd.metrics, tfkd.testing, tfkd.penalties):
        for name in module.__all__:
            assert f"\n::: {module.__name__}.{name}\n" in "".join(pages.values()), name
    plain = reference.plainly(pages["api/loss.md"])
    assert ":::" not in plain
    assert "labels: torch.Tensor" in plain or "labels: Tensor" in plain
    assert (tfkd.explain.__doc__ or "").splitlines()[0] in plain
