"""YAML, and JSON as a part of it, of plain values, of which none makes or repeats anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tfkd.runs.files import read_bytes


def read_plain_yaml(file: Path) -> dict[str, Any]:
    """Read a file of names and plain values.

    Args:
        file: without tags, and without aliases, of which a few lines can stand for billions.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it holds something else.
    """
    if not file.exists():
        raise FileNotFoundError(f"Expected a file of options at {file}, found no such file.")
    try:
        found = yaml.load(read_bytes(file), Loader=_PlainLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"Expected plain YAML or JSON in {file}, but: {text}") from error
    if not isinstance(found, dict):
        what = "an empty file" if found is None else type(found).__name__
        raise ValueError(f"Expected names and values in {file}, got {what}.")
    return {str(name).replace("-", "_"): value for name, value in found.items()}


def to_yaml(values: object) -> str:
    """Return plain values as `read_plain_yaml` reads them."""
    return yaml.dump(values, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True)


class _PlainDumper(yaml.SafeDumper):
    """YAML of plain values: several are a list, a path is text, and nothing stands for another."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write every value out."""
        return True


_PlainDumper.add_representer(tuple, yaml.SafeDumper.represent_list)
_PlainDumper.add_multi_representer(
    Path, lambda dumper, path: dumper.represent_scalar("tag:yaml.org,2002:str", str(path))
)


class _PlainLoader(yaml.SafeLoader):
    """YAML of plain values: `no` is a word and not false, and nothing stands for another."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  # set below

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node, unless it is an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("expected no YAML aliases, got one.")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return names and values, unless one name comes twice."""
        names = [str(name.value).replace("-", "_") for name, _ in node.value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"expected every name once, got {twice!r} again.")
        return super().construct_mapping(node, deep)


# As JSON and YAML 1.2 have them: not `010` for 8, `1:30` for 90, or a date.
for _tag, _form, _first in (
    ("null", "null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("bool", "true|True|false|False", list("tTfF")),
    ("int", "[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.inf)|\.nan",
        list("-+0123456789."),
    ),
):
    for _kind in (_PlainLoader, _PlainDumper):
        _kind.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_form})$"), _first
        )
