"""The command that lists methods."""

from __future__ import annotations

from tfkd.method_table import METHODS, Method, find_method


def list_methods(method: str | None = None) -> None:
    """List the methods by name: who teaches, what they need, and where they come from.

    A name is what --method and --methods take.

    Args:
        method: name of one, or module:function of your own, to see all that there is to say of it,
            its numbers among that. Default: all of the table, a line for each.
    """
    from tfkd.report.terminal.method_lines import method_lines, method_table

    rows: list[Method] = list(METHODS.values())
    lines = method_table(rows) if method is None else method_lines(find_method(method))
    print("\n".join(lines))
