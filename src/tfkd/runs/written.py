"""A run as people write it: on the command line, in a YAML file, in settings.json.

All three are the same nested mapping, that of `StoredSettings`. An option is a path through it, as
`recipe.optimizer.learning_rate`; its last word alone will do, as `learning_rate`, and a part with
variants is called by its own word, as `optimizer: adamw`. What is left out is as the data set asks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import yaml

from tfkd._checks import did_you_mean
from tfkd.data.settings import name_and_root
from tfkd.runs.circumstances import Circumstances
from tfkd.runs.files import read_bytes, why
from tfkd.runs.options import from_text, option_at, options
from tfkd.runs.recipes import defaults
from tfkd.runs.settings import MethodSettings, Recipe, RunSettings, Step

Written = dict[str, Any]
"""What was written, by the names of `StoredSettings` and the structs in it."""


def nested(written: Mapping[str, Any]) -> Written:
    """Return what was written, every value at its place.

    Args:
        written: names of options, or parts as they are nested; None stands for what is left out.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> nested({"optimizer": "adamw", "learning_rate": 0.01})
        {'recipe': {'optimizer': {'name': 'adamw', 'learning_rate': 0.01}}}
    """
    result: Written = {}
    for name, value in written.items():
        if value is None:
            continue
        known = options().get(name)
        if known is not None and not isinstance(value, Mapping):
            _put(result, known.path, value)
        elif isinstance(value, Mapping) and name in _parts():
            _put_all(result, _parts()[name], value)
        else:
            raise ValueError(
                f"Expected a name of an option, got {name!r}.{did_you_mean(name, options())}"
            )
    return result


@cache
def _parts() -> dict[str, tuple[str, ...]]:
    """Names of the parts, and where they are."""
    found = {}
    for option in options().values():
        for length in range(1, len(option.path)):
            found[option.path[length - 1]] = option.path[:length]
    return found


def _put(into: Written, path: tuple[str, ...], value: object) -> None:
    option = option_at(path)
    for name in path[:-1]:
        into = into.setdefault(name, {})
    into[path[-1]] = from_text(option, value) if option and isinstance(value, str) else value


def _put_all(into: Written, path: tuple[str, ...], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping):
            _put_all(into, (*path, name), value)
        elif value is not None:
            _put(into, (*path, name), value)


def make_run(written: Mapping[str, Any]) -> tuple[RunSettings, Circumstances]:
    """Return the run that somebody wrote down, what is left out being as the data set asks.

    Args:
        written: as `nested` takes it.

    Raises:
        ValueError: for an unknown name, or a value that cannot be.

    Example:
        >>> settings, _ = make_run({"data": "digits", "learning_rate": 0.05})
        >>> settings.recipe.student, settings.recipe.epochs, settings.recipe.optimizer.learning_rate
        ('small_cnn', 20, 0.05)
    """
    values = nested(written)
    circumstances = circumstances_of(values)
    values.pop("circumstances", None)
    recipe, circumstances = make_recipe(values.pop("recipe", {}), circumstances)
    if "teacher" in values:
        values["teacher"] = _teacher(values["teacher"])
    settings = _converted({**values, "recipe": msgspec.to_builtins(recipe)}, RunSettings)
    circumstances.check_epochs(settings.recipe.epochs)
    return settings, circumstances


def circumstances_of(written: Mapping[str, Any]) -> Circumstances:
    """Return the part `circumstances` of what `nested` returns."""
    found: Circumstances = _converted(written.get("circumstances", {}), Circumstances)
    return found


def make_method(written: Mapping[str, Any]) -> MethodSettings:
    """Return the part `method` of what `nested` returns."""
    found: MethodSettings = _converted(written, MethodSettings)
    return found


def make_recipe(
    written: Mapping[str, Any], circumstances: Circumstances
) -> tuple[Recipe, Circumstances]:
    """Return a recipe that somebody wrote down, and the circumstances with the place of its data.

    Args:
        written: the part `recipe` of what `nested` returns.
        circumstances: that may say where the data lie.

    Raises:
        ValueError: for a value that cannot be.
    """
    data = written.get("data", {}).get("name", "digits")
    name, root = name_and_root(data, circumstances.data_root)
    written = {**written, "data": {**written.get("data", {}), "name": name}}
    recipe = changed(defaults(name).recipe, written)
    return recipe, msgspec.structs.replace(circumstances, data_root=root)


def changed(recipe: Recipe, written: Mapping[str, Any]) -> Recipe:
    """Return a recipe with what was written changed.

    Another optimiser or schedule keeps the numbers that it has in common with the one before. With
    other `epochs` the milestones of the schedule move in proportion, unless they are given.

    Args:
        recipe: that is changed.
        written: the part `recipe` of what `nested` returns.

    Raises:
        ValueError: for a value that cannot be.

    Example:
        >>> shorter = changed(defaults("cifar100").recipe, {"epochs": 100})
        >>> shorter.epochs, shorter.schedule.milestones
        (100, (30, 60, 80))
    """
    values = msgspec.to_builtins(recipe)
    schedule = recipe.schedule
    if isinstance(schedule, Step) and "epochs" in written:
        values["schedule"]["milestones"] = moved(
            schedule.milestones, recipe.epochs, written["epochs"]
        )
    for name, value in written.items():
        if name in ("optimizer", "schedule"):
            values[name] = _variant(name, values[name], value)
        elif isinstance(value, Mapping):
            values[name] = {**values[name], **value}
        else:
            values[name] = value
    result: Recipe = _converted(values, Recipe)
    return result


def moved(epochs: tuple[int, ...], before: int, after: int) -> tuple[int, ...]:
    """Return moments of a training moved in proportion to its length, each after epoch 1 at least.

    Example:
        >>> moved((60, 120, 160), 200, 20)
        (6, 12, 16)
    """
    if type(after) is not int:
        return epochs  # refused where it is converted
    return tuple(sorted({max(round(epoch * after / before), 1) for epoch in epochs}))


def _variant(part: str, before: Written, written: Mapping[str, Any]) -> Written:
    """The values of a part that has variants, of which each says other things."""
    hint = get_type_hints(Recipe)[part]
    variants = {own.__struct_config__.tag: own for own in get_args(hint)}
    name = written.get("name", before["name"])
    if name not in variants:
        raise ValueError(
            f"Expected `{part}` to be one of {', '.join(variants)}, got {name!r}."
            f"{did_you_mean(str(name), variants)}"
        )
    known = ("name", *variants[name].__struct_fields__)
    for field in written:
        if field not in known:
            raise ValueError(f"Expected no `{field}` for the {part} {name}, got {written[field]}.")
    kept = {field: value for field, value in before.items() if field in known}
    if name == "step" and "milestones" not in {**kept, **written}:
        raise ValueError("Expected `milestones` for the schedule step, got none.")
    return {**kept, **written}


def _teacher(written: Mapping[str, Any]) -> Written:
    """A teacher as it is stored; typed, it is a run, or beside its weights a model."""
    if "kind" in written:
        return dict(written)
    source = written.get("run")
    if source is None:
        names = [f"`teacher_{name}`" for name in written]
        raise ValueError(f"Expected `teacher` beside {', '.join(names)}.")
    if "weights" not in written:
        return {"kind": "run", **written}
    if "epoch" in written:
        raise ValueError("Expected `teacher_epoch` or `teacher_weights`, got both.")
    rest = {name: value for name, value in written.items() if name != "run"}
    return {"kind": "weights", "model": source, **rest}


def _converted(values: object, kind: Any) -> Any:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise ValueError(why(error)) from error


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> Written:
    """Return two nested mappings as one, in which the second has the last word."""
    result = dict(first)
    for name, value in second.items():
        both = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = merged(result[name], value) if both else value
    return result


def read_written(file: Path) -> Written:
    """Read what somebody wrote down in a YAML or JSON file.

    Of a run's settings.json, the teacher lies where that run found it.

    Args:
        file: of a mapping of plain values, without aliases, of which a few lines can stand for
            billions.

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
        raise ValueError(f"Expected plain YAML or JSON in {file}, but: {text}.") from error
    if not isinstance(found, dict):
        raise ValueError(f"Expected names and values in {file}, got {type(found).__name__}.")
    written = {str(name).replace("-", "_"): value for name, value in found.items()}
    teacher = written.get("teacher")
    if "circumstances" in written and isinstance(teacher, dict):
        for place in ("run", "weights"):
            if isinstance(teacher.get(place), str):
                teacher[place] = os.path.normpath(file.parent / teacher[place])
    return written


class _PlainLoader(yaml.SafeLoader):
    """YAML of plain values: `no` is a word and not false, and nothing stands for another."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node, unless it is an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("expected no YAML aliases, got one")
        return super().compose_node(parent, index)


_PlainLoader.yaml_implicit_resolvers = {
    first: [
        (tag, re.compile("^(true|false|True|False)$") if tag == "tag:yaml.org,2002:bool" else match)
        for tag, match in resolvers
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
