"""The pages of the methods: their code trains, what they name is there, no method is missing."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from pages import PAGES, ROOT, blocks_of, world

import tfkd
from tfkd.method_table import METHODS

METHOD_PAGES = [page for page in PAGES if page.parent.name == "methods"]

by_page = pytest.mark.parametrize("page", METHOD_PAGES, ids=lambda page: page.name)


@by_page
def test_the_code_of_a_page_runs(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    blocks = blocks_of(page)
    assert blocks
    if page.name == "your-own.md":  # one program, whose classes are found by pickle
        blocks = ["\n".join(blocks)]
    for number, block in enumerate(blocks):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        torch.manual_seed(0)
        module = ModuleType("example_of_a_page")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        names = vars(module)
        names.update(world())
        exec(block, names)
        gradients = [parameter.grad for parameter in names["model"].parameters()]
        assert all(gradient is not None for gradient in gradients), block
        assert sum(gradient.abs().sum() for gradient in gradients) > 0, block
        assert "criterion" in names
    shown = blocks_of(page, "text")
    assert capsys.readouterr().out == "".join(shown)


LOOPS = [(page, block) for page in METHOD_PAGES for block in blocks_of(page) if "saved[" in block]


@pytest.mark.parametrize(("page", "block"), LOOPS, ids=[page.name for page, _ in LOOPS])
def test_a_loop_that_is_resumed_ends_as_one_without_a_break(
    page: Path, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weights(folder: str, epochs: int) -> list[torch.Tensor]:
        (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / folder)
        torch.manual_seed(0)
        names = world() | {"epochs": epochs}
        exec(block, names)
        return list(names["model"].state_dict().values())

    weights("resumed", 1)
    pairs = zip(weights("resumed", 3), weights("at once", 3), strict=True)
    assert all(torch.equal(resumed, at_once) for resumed, at_once in pairs)


@by_page
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"\btfkd\.(\w+)", text):
        assert hasattr(tfkd, name), name
    for name in re.findall(r"\bin commands `(\w+)`", text):
        assert name in METHODS, name
    for file in re.findall(r"`(tests/[\w/.]+)`", text):
        assert (ROOT / file).is_file(), file


def test_every_method_of_the_table_is_on_the_first_page() -> None:
    text = (METHOD_PAGES[0].parent / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+)`", text.partition("## To choose")[2].partition("\n## ")[0])
    assert [name for name in METHODS if name not in named] == []


def test_a_paper_is_of_the_same_year_wherever_it_is_named() -> None:
    years: dict[str, set[str]] = {}
    files = [*(ROOT / "src").rglob("*.py"), *METHOD_PAGES, ROOT / "README.md"]
    for file in files:
        text = " ".join(file.read_text(encoding="utf-8").split())
        named = r"\b((?:19|20)\d\d),(?: [A-Z][\w-]+(?: \d{4})?,)? arXiv (\d{4}\.\d{5})"
        for year, paper in re.findall(named, text):
            years.setdefault(paper, set()).add(year)
    assert len(years) > 30
    assert {paper: found for paper, found in years.items() if len(found) > 1} == {}
