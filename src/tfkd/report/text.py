"""What files are called, as text that steers no reader and no terminal."""

from __future__ import annotations


def visible(text: str) -> str:
    r"""Return text with everything that cannot be seen written out, and space alone quoted.

    Example:
        >>> print(visible("猫 \x1b[31m\n\u202e.jpg"))
        猫 \x1b[31m\n\u202e.jpg
    """
    if text.isspace():
        text = repr(text)
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
