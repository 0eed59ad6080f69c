"""Every command that the documentation shows is one that the program takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tfkd.cli.command import Command, Group
from tfkd.cli.commands import COMMANDS
from tfkd.cli.parser import find_command, parse

ROOT = Path(__file__).parents[2]
FILES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "results/README.md")]
FILES += sorted((ROOT / "docs").rglob("*.md"))


def commands(text: str) -> list[list[str]]:
    """The words of each command: in a line of its own, or between backticks."""
    text = text.replace("\\\n", " ")
    lines = re.findall(r"^(?: {4}|\$ )(?:.* && )?tfkd (.*)$", text, re.MULTILINE)
    inline = [" ".join(found.split()) for found in re.findall(r"`tfkd ([^`]+)`", text)]
    found = [shlex.split(line, comments=True) for line in [*lines, *inline]]
    return [words for words in found if "…" not in "".join(words)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_documented_commands_are_taken(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "RUN").mkdir()
    (tmp_path / "RUN" / "settings.json").write_text("{}")
    for words in commands(file.read_text(encoding="utf-8")):
        names, command = find_command(words, Group("", COMMANDS))
        rest = words[len(names) :]
        if isinstance(command, Command) and rest and "--help" not in rest:
            parse(" ".join(names), command, rest)
