"""On the page of loops: the first example of each program that others train with, in a tab."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

MARK = "<!-- a tab for each host -->\n"


def filled(markdown: str, hosts: Path) -> str:
    """Return a page's text with the tabs in the place of the mark."""
    if MARK not in markdown:
        return markdown
    pages = sorted(page for page in hosts.glob("*.md") if page.name != "README.md")
    return markdown.replace(MARK, "".join(map(_tab, pages)))


def _tab(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    heading = re.search(r"^# (.*)$", text, re.MULTILINE)
    block = re.search(r"^```python\n.*?^```\n", text, re.MULTILINE | re.DOTALL)
    title = (heading[1] if heading else page.stem).partition("'s ")[0]  # of what is whose
    shown = f"{block[0]}\n" if block else ""
    inner = f"{shown}[{title}, in full](hosts/{page.name})\n"
    return f'=== "{title}"\n\n{textwrap.indent(inner, "    ")}\n'
