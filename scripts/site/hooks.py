"""What mkdocs calls while it builds the site.

| file | what it adds |
|---|---|
| `repository` | pages that lie elsewhere in the repository, and files that pages link to |
| `command_pages` | the reference of the commands, from their signatures |
| `api_pages` | the reference of the public names |
| `host_tabs` | on the page of loops, a tab for each program that others train with |
| `long_names` | places where a long name in a table may be broken |
| `plain` | each page as Markdown, `llms.txt`, and that no page fetches anything |
"""

from __future__ import annotations

from pathlib import Path

import api_pages
import command_pages
import host_tabs
import long_names
import plain
import repository
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
_texts: dict[str, str] = {}
_sections: list[tuple[str, list[Page]]] = []


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make pages from the code, and put those of a folder in the navigation."""
    _texts.clear()
    made = {"commands.md": command_pages.text(), **api_pages.texts()}
    made |= {page: (ROOT / file).read_text("utf-8") for page, file in repository.PAGES.items()}
    _texts.update(made)
    written = sorted((ROOT / "docs").rglob("*.md"))
    there = [path.relative_to(ROOT / "docs").as_posix() for path in written]
    config.nav = _opened(config.nav, [*there, *made])
    return config


def _opened(nav: list, pages: list[str]) -> list:
    """Put the pages of a folder in the place of FOLDER/*, README first."""
    opened: list = []
    for entry in nav:
        if isinstance(entry, dict):
            ((title, inner),) = entry.items()
            inner = [inner] if isinstance(inner, str) and inner.endswith("/*") else inner
            inner = _opened(inner, pages) if isinstance(inner, list) else inner
            opened.append({title: inner})
        elif entry.endswith("/*"):
            folder = [page for page in pages if page.startswith(entry[:-1])]
            opened += sorted(folder, key=lambda page: not page.endswith("README.md"))
        else:
            opened.append(entry)
    return opened


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what was made, and the files outside of docs/ to which a page links."""
    for place, text in _texts.items():
        files.append(File.generated(config, place, content=text))
    for place in repository.linked(files.documentation_pages()):
        copy = repository.COPIES + place
        files.append(File.generated(config, copy, abs_src_path=str(ROOT / place)))
    return files


def on_nav(nav: Navigation, **_: object) -> Navigation:
    """Remember which pages stand under which heading."""
    _sections[:] = [
        (item.title or "", [item] if item.is_page else plain.pages_of(item)) for item in nav.items
    ]
    return nav


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links that leave docs/ to where the site has what they mean."""
    markdown = host_tabs.filled(markdown, ROOT / "docs" / "hosts")
    markdown = repository.redirected(markdown, page.file.src_uri)
    plain.remember(page, api_pages.plainly(markdown))
    return markdown


def on_page_content(html: str, **_: object) -> str:
    """Let long names in tables be broken."""
    return long_names.breakable(html)


def on_post_build(config: MkDocsConfig) -> None:
    """Write the Markdown of each page and `llms.txt`; look at what the pages would fetch."""
    site = Path(config.site_dir)
    plain.write(site, config.site_name, config.site_description or "", _sections)
    plain.check_that_nothing_is_fetched(site)
    plain.check_that_no_star_is_lost(site)
