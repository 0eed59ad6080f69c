"""Text that Markdown prints as it is."""

from __future__ import annotations

import re


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
