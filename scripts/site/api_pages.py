"""The reference of the public names: every one of them, by what it is for."""

from __future__ import annotations

import importlib
import importlib.util

import tfkd

BEGINNING = """# API reference

Which names does the package have, and what does each take? Each name below leads to its signature, the
shapes and ranges of what it takes, what it raises, and an example.

`import tfkd` needs torch alone. What is in `tfkd.train`, `tfkd.data` and `tfkd.models` needs `tfkd[cli]`.
"""

# Page: its title, its question, and the modules whose public names it has; `tfkd` before those that
# are names of the package itself.
PAGES = {
    "loss": (
        "The loss",
        "How is the loss called?",
        ["tfkd.loss", "tfkd.explanation", "tfkd.calibration"],
    ),
    "methods": ("Methods", "Which function makes the loss of a named method?", ["tfkd.methods"]),
    "dialects": ("Dialects", "How is a loss written as somebody else wrote it?", ["tfkd.dialects"]),
    "teachers": ("Teachers", "Who can teach?", ["tfkd.teachers"]),
    "schedules": (
        "Schedules",
        "How does a number of a loss change over a training?",
        ["tfkd.loss.schedules"],
    ),
    "penalties": ("Penalties", "Which losses have no teacher?", ["tfkd.penalties"]),
    "metrics": ("Metrics", "How good are a classifier's logits?", ["tfkd.metrics"]),
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
    module, _, attribute = name.rpartition(".")
    doc = getattr(importlib.import_module(module), attribute).__doc__ or ""
    return " ".join(doc.partition("\n\n")[0].split())
