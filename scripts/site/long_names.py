"""Long names in tables may be broken between their words, so that a table fits a narrow page."""

from __future__ import annotations

import re

_CELL = re.compile(r"<td[^>]*>.*?</td>", re.DOTALL)
_CODE = re.compile(r"(?<=<code>)[^<]+(?=</code>)")
_BETWEEN = re.compile(r"(?<=[_.(=])(?=[^\W_])|(?<=[a-z])(?=[A-Z])")


def breakable(html: str) -> str:
    """Return a page's content with a place to break after `_`, `.`, `(`, `=` and before a capital.

    Example:
        >>> breakable("<td><code>tfkd.tf_kd_reg()</code></td>")
        '<td><code>tfkd.<wbr>tf_<wbr>kd_<wbr>reg()</code></td>'
    """
    return _CELL.sub(lambda cell: _CODE.sub(_broken, cell[0]), html)


def _broken(code: re.Match[str]) -> str:
    return _BETWEEN.sub("<wbr>", code[0])
