"""Each page as Markdown beside its HTML, `llms.txt`, and that no page fetches anything."""

from __future__ import annotations

import posixpath
import re
from html.parser import HTMLParser
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.nav import Section
from mkdocs.structure.pages import Page

_written: dict[str, str] = {}


def remember(page: Page, markdown: str) -> None:
    """Keep the text of a page until the site is written."""
    _written[page.file.dest_uri] = markdown


def place_of(page: Page) -> str:
    """Return where the Markdown of a page lies: its HTML's place, with another suffix."""
    return posixpath.splitext(page.file.dest_uri)[0] + ".md"


def pages_of(section: Section) -> list[Page]:
    """Return the pages of a section and of those in it."""
    found: list[Page] = []
    for item in section.children:
        found += pages_of(item) if isinstance(item, Section) else [item]
    return found


def write(site: Path, name: str, about: str, sections: list[tuple[str, list[Page]]]) -> None:
    """Write the Markdown of each page, and `llms.txt`, which lists them."""
    lines = [f"# {name}", "", f"> {about}"]
    for title, pages in sections:
        lines += ["", f"## {title}", ""]
        for page in pages:
            markdown = _written[page.file.dest_uri]
            place = place_of(page)
            # README.md is index.html; what links to it finds it as it is called here.
            text = re.sub(r"(?<=[(/])README\.md(?=[#)])", "index.md", markdown)
            (site / place).write_text(text, encoding="utf-8")
            lines.append(f"- [{page.title}]({place}): {beginning(markdown)}")
    (site / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def beginning(markdown: str) -> str:
    """Return the question with which a page begins and a sentence of its answer, without marks."""
    blocks = markdown.split("\n\n")[1:]
    text = next((block for block in blocks if not re.match(r" {4}|```|\||<", block)), "")
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|\*\*", r"\1", " ".join(text.split()))
    found = re.match(r"(?:[^?]*\?\s*)?(?:.*?[.:?](?=\s|$))?", plain)
    return found[0].strip() if found and found[0] else plain


def check_that_no_star_is_lost(site: Path) -> None:
    """Raise if two stars that say something, as in NLL*, became italics."""
    for page in site.rglob("*.html"):
        if lost := re.search(r"\w+<em>", page.read_text(encoding="utf-8")):
            word = lost[0].removesuffix("<em>")
            raise PluginError(f"{page.relative_to(site)} lost a star of {word}*: write {word}\\*.")


class _Fetched(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        fetches = tag in ("script", "img", "iframe", "source", "video", "audio", "embed", "object")
        if tag == "link" and values.get("rel") in ("stylesheet", "preconnect", "preload", "icon"):
            fetches = True
        place = values.get("src") or values.get("href") or values.get("data") or ""
        if fetches and re.match(r"(\w+:)?//", place):
            self.found.append(place)


def check_that_nothing_is_fetched(site: Path) -> None:
    """Raise if a page would load a font, script, style or picture from another place."""
    for page in site.rglob("*.html"):
        fetched = _Fetched()
        fetched.feed(page.read_text(encoding="utf-8"))
        if fetched.found:
            raise PluginError(f"{page.relative_to(site)} fetches {', '.join(fetched.found)}.")
