"""A report as Markdown: the words and tables of the page, without its pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tfkd.report.tables import Table

if TYPE_CHECKING:
    from tfkd.report.page import Page


def to_markdown(page: Page) -> str:
    """Return the page's words and tables."""
    blocks = [f"# {escape(page.name)}", paragraph(page.question)]
    if page.unfinished:
        blocks.append(f"**{escape(page.unfinished)}**")
    blocks.append("## What was run")
    blocks.append(_items(f"{name}: {value}" for name, value in page.facts))
    blocks += [paragraph(remark) for remark in page.remarks]
    blocks += ["## Verdicts", paragraph(page.conclusion)]
    if page.counts:
        blocks.append(f"{page.claims} claims:")
        blocks.append(_items(f"{count} × {name}: {what}." for name, count, what in page.counts))
        blocks.append(paragraph(page.how))
    for student, found in page.verdicts:
        blocks.append(f"### {escape(student)}")
        blocks.append(
            "\n".join(
                f"- **{escape(verdict.conclusion)}**: "
                + escape(" ".join(filter(None, (verdict.headline, verdict.because))))
                + "".join(
                    f"\n  - {paragraph(detail)}" for detail in (*verdict.beside, *verdict.details)
                )
                for verdict in found
            )
        )
    for title, sentences in (
        ("Check of the machinery", page.machinery),
        ("What the controls do by themselves", page.controls),
    ):
        if sentences:
            blocks += [f"### {title}", _items(sentences)]
    blocks += ["## Tables", paragraph(page.legend)]
    blocks += [table_to_markdown(table) for table in page.tables]
    blocks.append(paragraph(page.colophon))
    return "\n\n".join(blocks) + "\n"


def table_to_markdown(table: Table) -> str:
    r"""Return a table with its title.

    Example:
        >>> print(table_to_markdown(Table("Seeds", ("arm", "n"), (("a|b", 3),))))
        ### Seeds
        <BLANKLINE>
        | arm | n |
        | :-- | --: |
        | a\|b | 3 |
    """
    rule = [":--", *["--:"] * (len(table.columns) - 1)]
    rendered = [f"| {' | '.join(escape(cell) for cell in table.columns)} |"]
    rendered.append(f"| {' | '.join(rule)} |")
    rendered += [f"| {' | '.join(escape(cell) for cell in row)} |" for row in table.cells()]
    return f"### {escape(table.title)}\n\n" + "\n".join(rendered)


def escape(text: str) -> str:
    r"""Return text that Markdown prints as it is, in one line.

    Example:
        >>> print(escape("<b> *x* plain_cnn"))
        &lt;b> \*x\* plain_cnn
    """
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    # An underscore within a word is no emphasis; at its end it may be.
    text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
    return re.sub(r"([\\`*\[\]|])", r"\\\1", text.replace("\\_", "\0")).replace("\0", "\\_")


def paragraph(text: str) -> str:
    r"""Return `escape`d text that may stand at the beginning of a line: it begins no block.

    Example:
        >>> print(paragraph("# x"), paragraph("~~~"), paragraph("1. x"), paragraph("10 runs"))
        \# x \~~~ 1\. x 10 runs
    """
    text = re.sub(r"^([#>+=~-])", r"\\\1", escape(text))
    return re.sub(r"^(\d+)([.)])", r"\1\\\2", text)


def _items(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {paragraph(sentence)}" for sentence in sentences)
