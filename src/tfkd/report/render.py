"""A report as HTML and as Markdown, by the same template.

`templates/page.jinja` has what is said of a study, in its order, and `run_page.jinja` what is said
of a run; `html.jinja` and `markdown.jinja` have how each part is written. Whatever they print is
escaped, unless it was printed by one of their own macros, or is a picture.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tfkd.report.markdown import escape, paragraph

if TYPE_CHECKING:
    from jinja2 import Environment

BREAKS = re.compile(r"([/_.-]+)(?=[^/_.-])")


def to_html(page: object, template: str = "page.jinja") -> str:
    """Return the page as HTML that needs nothing else.

    Args:
        page: what the template names.
        template: what is said, in its order.
    """
    import markupsafe

    environment = _environment()
    # A browser breaks a name at its separators, not within its last letters.
    environment.filters["breakable"] = lambda path: markupsafe.Markup(
        BREAKS.sub(r"\1<wbr>", str(markupsafe.escape(path)))
    )
    return environment.get_template(template).render(page=page, form="html.jinja")


def to_markdown(page: object, template: str = "page.jinja") -> str:
    """Return the page's words and tables as Markdown."""
    from markupsafe import Markup

    def printed(value: object) -> Markup:
        """What no macro has written is escaped, for Markdown and not for HTML."""
        return value if isinstance(value, Markup) else Markup(escape(str(value)))

    environment = _environment(finalize=printed)
    environment.filters["paragraph"] = lambda text: Markup(paragraph(text))
    return environment.get_template(template).render(page=page, form="markdown.jinja")


def _environment(**options: Any) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("tfkd.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )
