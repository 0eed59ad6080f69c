"""Pages that lie elsewhere in the repository, and files of it to which pages link."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "results.md": "results/README.md",
}
"""Page of the site, and the file that it is."""

INSTEAD = {file: page for page, file in PAGES.items()} | {"README.md": "index.md"}
COPIES = "repository/"
"""Where files lie to which a page links, and which are no pages."""

_LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)\s#]+)(#[^)\s]*)?(?=\))")


def _outside(target: str, page: str) -> str | None:
    """Return the place in the repository of what a page links to; None for another page."""
    start = posixpath.dirname(PAGES.get(page, f"docs/{page}"))
    place = posixpath.normpath(posixpath.join(start, target))
    return None if place.startswith("docs/") and page not in PAGES else place


def linked(pages: Iterable[File]) -> list[str]:
    """Return the files to which pages link and that are neither pages nor under docs/."""
    found: set[str] = set()
    for page in pages:
        for target, _ in _LINK.findall(page.content_string):
            place = _outside(target, page.src_uri)
            if place is None or place in INSTEAD or place.startswith("docs/"):
                continue
            if not (ROOT / place).is_file():
                raise PluginError(f"{page.src_uri} links to {target}, which is no file.")
            found.add(place)
    return sorted(found)


def redirected(markdown: str, page: str) -> str:
    """Return a page's text with the links that leave docs/ led to where the site has them."""

    def redirect(link: re.Match[str]) -> str:
        place = _outside(link[1], page)
        if place is None:
            return link[0]
        own = place.removeprefix("docs/") if place.startswith("docs/") else COPIES + place
        to = posixpath.relpath(INSTEAD.get(place, own), posixpath.dirname(page) or ".")
        return to + (link[2] or "")

    return _LINK.sub(redirect, markdown)
