"""The reference of the public names: every one of them, by what it is for."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re

import tfkd

BEGINNING = """# API reference

Which names does the package have, and what does each take? Each name below leads to its signature,
the shapes and ranges of what it takes, what it raises, and an example.

`import tfkd` needs torch alone. What is in `tfkd.train`, `tfkd.data` and `tfkd.models` needs
`tfkd[cli]`.
"""

# Page: its title, its question, and the modules whose public names it has.
PAGES = {
    "loss": (
        "The loss",
        "How is the loss called, and what does it amount to?",
        ["tfkd.loss", "tfkd.explanation", "tfkd.calibration"],
    ),
    "methods": ("Methods", "Which function makes the loss of a method?", ["tfkd.methods"]),
    "dialects": ("Dialects", "How did others write the same loss?", ["tfkd.dialects"]),
    "teachers": ("Teachers", "Who can teach?", ["tfkd.teachers"]),
    "schedules": (
        "Schedules",
        "How does a number of a loss change over a training?",
        ["tfkd.loss.schedules"],
    ),
    "penalties": ("Penalties", "Which losses have no teacher?", ["tfkd.penalties"]),
    "metrics": (
        "Metrics",
        "How good are a classifier's logits?",
        ["tfkd.metrics", "tfkd.metrics.multi_label"],
    ),
    "testing": ("Testing", "Is a teacher of one's own right?", ["tfkd.testing"]),
    "adapters": ("Adapters", "How does the loss get into another program?", ["tfkd.adapters"]),
    "data": ("Data", "Where do images come from, and how are they shown?", ["tfkd.data"]),
    "models": ("Models", "Which networks are there?", ["tfkd.models"]),
    "train": ("Training", "How is a run trained, loaded and asked from Python?", ["tfkd.train"]),
}


def texts() -> dict[str, str]:
    """Return the pages by their place."""
    made = {}
    lines = [BEGINNING]
    missing = set(tfkd.__all__)
    for page, (title, question, modules) in PAGES.items():
        names = [name for module in modules for name in _public(module)]
        if not names:
            continue
        missing -= {name.rpartition(".")[2] for name in names}
        lines += ["", f"## {title}", "", f"{question}", ""]
        lines += [f"- [`{name}`]({page}.md#{name}): {_summary(name)}" for name in names]
        blocks = "\n".join(f"::: {name}\n" for name in names)
        made[f"api/{page}.md"] = f"# {title}\n\n{question}\n\n{blocks}"
    if missing:
        raise ValueError(f"No page of the API reference has {', '.join(sorted(missing))}.")
    return {"api/README.md": "\n".join(lines) + "\n", **made}


def _public(module: str) -> list[str]:
    """Return the public names of a module, as they are best imported."""
    if importlib.util.find_spec(module) is None:
        return []
    found = importlib.import_module(module)
    names = getattr(found, "__all__", None)
    if names is None:
        names = [
            name
            for name, value in vars(found).items()
            if getattr(value, "__module__", None) == module and not name.startswith("_")
        ]
    names = [name for name in names if callable(getattr(found, name))]
    return [f"tfkd.{name}" if name in tfkd.__all__ else f"{module}.{name}" for name in names]


def _summary(name: str) -> str:
    return " ".join((_found(name).__doc__ or "").partition("\n\n")[0].split())


def _found(name: str) -> object:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def plainly(markdown: str) -> str:
    """Return a page with signature and docstring where the site's page says `::: NAME`."""
    return re.sub(r"^::: (\S+)$", lambda name: _documented(name[1]), markdown, flags=re.MULTILINE)


def _documented(name: str) -> str:
    found = _found(name)
    parts = [f"## {name}", f"{_signature(name, found)}{inspect.getdoc(found)}"]
    for method, value in vars(found).items() if inspect.isclass(found) else ():
        if not method.startswith("_") and inspect.isfunction(value) and value.__doc__:
            parts += [f"### {name}.{method}", f"{_signature(method, value)}{inspect.getdoc(value)}"]
    return "\n\n".join(parts)


class _Written(str):
    """An annotation that is shown without quotation marks."""

    __repr__ = str.__str__


def _signature(name: str, found: object) -> str:
    try:
        signature = inspect.signature(found)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""
    parameters = [
        parameter.replace(annotation=_shown(parameter.annotation))
        for parameter in signature.parameters.values()
    ]
    returns = _shown(signature.return_annotation)
    written = signature.replace(parameters=parameters, return_annotation=returns)
    return f"```python\n{name.rpartition('.')[2]}{written}\n```\n\n"


def _shown(annotation: object) -> object:
    return _Written(annotation) if isinstance(annotation, str) else annotation
