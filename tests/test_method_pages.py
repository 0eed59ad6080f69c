"""The pages of the methods: their code runs, their links lead somewhere, no method is missing."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import tfkd
from tfkd.method_table import METHODS

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "methods").glob("*.md"))
SAMPLES, BATCH, CLASSES = 16, 8, 10

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def world() -> dict[str, Any]:
    """What the examples take for granted: a network, those that teach, and a data set."""
    generator = torch.Generator().manual_seed(0)

    def network(width: int) -> nn.Module:
        hidden = nn.Linear(12, width)
        return nn.Sequential(nn.Flatten(), hidden, nn.BatchNorm1d(width), nn.Linear(width, CLASSES))

    dataset = torch.randn(SAMPLES, 3, 2, 2, generator=generator)
    labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    indices = torch.arange(SAMPLES)
    batches = [slice(0, BATCH), slice(BATCH, SAMPLES)]
    model = network(4)
    training_set = TensorDataset(dataset, labels)
    return {
        "torch": torch,
        "tfkd": tfkd,
        "dataset": dataset,
        "training_set": training_set,
        "epochs": 2,
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "teacher": network(6),
        "other_teacher": network(6),
        "loader": [(dataset[b], labels[b], indices[b]) for b in batches],
        "validation_loader": [(dataset[b].flip(3), labels[b]) for b in batches],
        "images": dataset[batches[0]],
        "labels": labels[batches[0]],
        "indices": indices[batches[0]],
    }


def blocks_of(page: Path) -> list[str]:
    """The examples of a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


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
    shown = re.findall(r"^```text\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
    assert capsys.readouterr().out == "".join(shown)


LOOPS = [(page, block) for page in PAGES for block in blocks_of(page) if "saved[" in block]


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
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        file, _, heading = target.partition("#")
        found = (page.parent / file).resolve() if file else page
        assert found.is_file(), target
        text = found.read_text(encoding="utf-8")
        headings = [
            re.sub(r"[^\w\- ]", "", line).strip().lower().replace(" ", "-")
            for line in re.findall(r"^#+ (.*)$", text, re.M)
        ]
        assert not heading or heading in headings, target


@by_page
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"\btfkd\.(\w+)", text):
        assert hasattr(tfkd, name), name
    for row in re.findall(r"\brow `(\w+)`", text):
        assert row in METHODS, row
    for file in re.findall(r"`(tests/[\w/.]+)`", text):
        assert (ROOT / file).is_file(), file


def test_every_method_of_the_table_is_on_the_first_page() -> None:
    text = (PAGES[0].parent / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+)`", text.partition("## To choose")[2].partition("\n## ")[0])
    assert [name for name in METHODS if name not in named] == []


def test_a_paper_is_of_the_same_year_wherever_it_is_named() -> None:
    years: dict[str, set[str]] = {}
    files = [*(ROOT / "src").rglob("*.py"), *PAGES, ROOT / "README.md"]
    for file in files:
        text = " ".join(file.read_text(encoding="utf-8").split())
        named = r"\b((?:19|20)\d\d),(?: [A-Z][\w-]+(?: \d{4})?,)? arXiv (\d{4}\.\d{5})"
        for year, paper in re.findall(named, text):
            years.setdefault(paper, set()).add(year)
    assert len(years) > 30
    assert {paper: found for paper, found in years.items() if len(found) > 1} == {}


def test_a_page_begins_with_the_question_that_it_answers() -> None:
    for page in PAGES:
        _, _, text = page.read_text(encoding="utf-8").partition("\n\n")
        assert "." not in text.partition("?")[0], page.name
