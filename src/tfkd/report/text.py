"""Text from outside, as text that steers no reader and no terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return text in one line with everything that cannot be seen written out.

    Control characters, line breaks and bytes that are no UTF-8 are spelt out.

    Example:
        >>> print(printable("a\x1b[2J\nb"), printable("caf\u00e9"), printable("\udcff"))
        a\x1b[2J\nb café \udcff
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def visible(name: str) -> str:
    r"""Return a name as people see it: `printable`, and quoted if it is of spaces alone.

    Example:
        >>> print(visible("猫 \x1b[31m\n\u202e.jpg"), visible("  "))
        猫 \x1b[31m\n\u202e.jpg '  '
    """
    return printable(repr(name) if name.isspace() else name)
