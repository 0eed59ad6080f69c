"""The methods in lines of plain text: all of them in short, and one at length."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence

from tfkd.method_table import DIALECTS, Method
from tfkd.report.number_text import number_of
from tfkd.report.terminal.rows import WIDTH, laid_out

_BY_PARAMETER = {
    "student": "the student itself",
    "samples_per_epoch": "the ends of epochs",
    "num_samples": "to know the images apart",
}
_BY_PARTNERS = {
    "of the class": "another image of the class beside each",
    "the last batch": "the last batch once more",
}


def needs(method: Method) -> list[str]:
    """Return what a method needs beside logits and labels, in words.

    Example:
        >>> from tfkd.method_table import METHODS
        >>> needs(METHODS["normal_kd"]), needs(METHODS["label_smoothing"])
        (['a trained network'], [])
    """
    found = ["a trained network"] if method.has_teacher else []
    found += [text for name, text in _BY_PARAMETER.items() if method.takes(name)]
    return found + [text for name, text in _BY_PARTNERS.items() if method.partners == name]


def method_table(methods: Sequence[Method]) -> list[str]:
    """Return a line for each method, under a head, and how more is found out."""
    name = max(len(method.name) for method in methods) + 1
    who = max(len(method.taught_by) for method in methods) + 2
    lines = [f"{'name':<{name}}{'taught by':<{who}}source"]
    for method in methods:
        lines.append(f"{method.name:<{name}}{method.taught_by:<{who}}{_source(method)}".rstrip())
    return [
        *lines,
        f"{number_of(len(methods), 'method')}. What each needs, and its numbers: tfkd methods NAME",
    ]


def method_lines(method: Method) -> list[str]:
    """Return all that there is to say of a method, in lines of at most 80 columns."""
    text = (inspect.getdoc(method.composition()) or "").partition("\n\n")[0]
    rows = [
        ("name", method.name),
        ("title", method.title),
        *(("in short", ", ".join(method.short)) for _ in method.short[:1]),
        ("what it is", " ".join(text.replace("`", "").split())),
        ("taught by", method.taught_by),
        ("needs", "; ".join(needs(method)) or "nothing beside logits and labels"),
        *(("number", text) for text in _numbers(method)),
        ("dialects", ", ".join(f"{name} ({DIALECTS[name]})" for name in method.compositions)),
        ("paper", method.paper or "none"),
    ]
    return laid_out(rows)


def _numbers(method: Method) -> Iterator[str]:
    for name, default in method.numbers().items():
        said = "has to be said" if default is None else f"{default:g} by default"
        space = method.spaces.get(name)
        searched = "" if space is None else f", searched from {space.low:g} to {space.high:g}"
        meaning = method.meaning(name)
        yield f"{name}, {said}{searched}{f': {meaning}' if meaning else ''}"


def _source(method: Method) -> str:
    """The number at arXiv, or as much of the paper as there is room for."""
    found = re.search(r"arXiv \d+\.\d+", method.paper)
    return found[0] if found else method.paper[: WIDTH // 4]
