"""A run as the command, and as the file of settings, that trains it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tfkd.data.settings import FOLDER
from tfkd.method_table import find_method
from tfkd.runs import Circumstances, MethodSettings, Recipe, defaults, files
from tfkd.runs.circumstances import PLACES
from tfkd.runs.options import option_at
from tfkd.runs.plain_yaml import to_yaml
from tfkd.runs.written import make_recipe

OF_A_NETWORK = ("student", "pretrained")
"""What says how images are shown, where they are photographs."""


def written_run(
    recipe: Recipe, method: MethodSettings, circumstances: Circumstances, teacher: str | None
) -> dict[str, Any]:
    """Return a run as options files have it, with all that changes its numbers.

    Args:
        recipe: of the run.
        method: with its numbers.
        circumstances: that say where the data lie.
        teacher: name of the network that teaches, which is trained first; None: none does.
    """
    places = {name: value for name in PLACES if (value := getattr(circumstances, name))}
    return {
        "recipe": msgspec.to_builtins(recipe),
        "method": msgspec.to_builtins(method),
        **({"teacher": {"run": teacher}} if teacher is not None else {}),
        **({"circumstances": places} if places else {}),
    }


def write_settings(run: Mapping[str, Any], file: Path) -> None:
    """Write a file that `tfkd train --config` takes."""
    files.write_text(file, to_yaml(run))


def command_of(run: Mapping[str, Any], out: str) -> str:
    """Return the command that trains a run, with all that its data do not ask for by themselves.

    Args:
        run: of `written_run`.
        out: directory of the run.

    Example:
        >>> recipe, places = make_recipe({"data": {"name": "digits"}}, Circumstances())
        >>> method = MethodSettings("label_smoothing", numbers={"alpha": 0.2})
        >>> command_of(written_run(recipe, method, places, None), "runs/best")
        'tfkd train --data digits --method label_smoothing --alpha 0.2 --out runs/best'
    """
    typed = _typed(run["recipe"], run.get("circumstances", {}))
    method = run["method"]
    typed["method"] = method["name"]
    if method["dialect"] != "tfkd":
        typed["dialect"] = method["dialect"]
    own = find_method(method["name"]).numbers(method["dialect"])
    typed |= {name: value for name, value in method["numbers"].items() if own.get(name) != value}
    if "teacher" in run:
        typed["teacher"] = run["teacher"]["run"]
    typed["out"] = out
    return _command("train", typed)


def comparing_command(
    recipe: Recipe, circumstances: Circumstances, teacher: str, chosen: str
) -> str:
    """Return the command that compares methods at settings that were chosen for a recipe.

    Args:
        recipe: at which they were chosen.
        circumstances: that say where the data lie.
        teacher: name of the larger network.
        chosen: file of the settings.

    Example:
        >>> recipe, places = make_recipe({"data": {"name": "digits"}, "epochs": 5}, Circumstances())
        >>> comparing_command(recipe, places, "wide_cnn", "chosen.json")
        'tfkd compare --data digits --epochs 5 --chosen chosen.json'
    """
    run = written_run(recipe, MethodSettings(), circumstances, None)
    typed = _typed(run["recipe"], run.get("circumstances", {}))
    if teacher != defaults(recipe.data.name).teacher:
        typed["teacher"] = teacher
    return _command("compare", {**typed, "chosen": chosen})


def _typed(recipe: Mapping[str, Any], places: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a recipe that its data do not ask for by themselves, the data first."""
    data = recipe["data"]["name"]
    # What is typed for data in a folder is the folder.
    where = {name: places[name] for name in PLACES if name in places}
    typed = {"data": where.pop("data_root", data) if data == FOLDER else data, **where}
    known = dict(_leaves(_usual(recipe, Circumstances(**places)), ("recipe",)))
    for path, value in _leaves(recipe, ("recipe",)):
        option = option_at(path)
        default = known.get(path)
        if path[-1] in OF_A_NETWORK:
            default = getattr(defaults(data).recipe, path[-1])
        if option is not None and path != ("recipe", "data", "name") and default != value:
            typed[option.name] = value
    return typed


def _command(name: str, typed: Mapping[str, Any]) -> str:
    words = [word for option, value in typed.items() for word in _words(option, value)]
    return shlex.join(["tfkd", name, *words])


def _usual(recipe: Mapping[str, Any], circumstances: Circumstances) -> dict[str, Any]:
    """The recipe that is meant where data and network alone are said."""
    said = {name: recipe[name] for name in OF_A_NETWORK}
    data = {"name": recipe["data"]["name"]}
    try:
        usual, _ = make_recipe({**said, "data": data}, circumstances)
    except ValueError:  # a network for small images says how small
        data["image_size"] = recipe["data"]["image_size"]
        usual, _ = make_recipe({**said, "data": data}, circumstances)
        usual = replace(usual, data=replace(usual.data, image_size=None))
    found: dict[str, Any] = msgspec.to_builtins(usual)
    return found


def _words(name: str, value: object) -> list[str]:
    option = f"--{name.replace('_', '-')}"
    if isinstance(value, Mapping):
        return [word for own in value.items() for word in (option, f"{own[0]}={_text(own[1])}")]
    return [option, _text(value)]


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(_text, value))
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _leaves(
    values: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, value in values.items():
        here = (*path, name)
        if isinstance(value, Mapping) and option_at(here) is None:
            yield from _leaves(value, here)
        else:
            yield here, value
