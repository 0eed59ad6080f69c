"""Text from outside, as it may be printed."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return text in one line that steers no terminal, whatever a file is called.

    Control characters, line breaks and bytes that are no UTF-8 are spelt out.

    Example:
        >>> print(printable("a\x1b[2J\nb"), printable("caf\u00e9"), printable("\udcff"))
        a\x1b[2J\nb café \udcff
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def shown_name(name: str) -> str:
    """Return the name of a class as people see it: of spaces alone, it is quoted.

    Example:
        >>> print(shown_name("cat"), shown_name("  "))
        cat '  '
    """
    return repr(name) if name.isspace() else printable(name)
