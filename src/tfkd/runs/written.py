"""A run as people write it: on the command line, in a YAML file, in settings.json.

All three are the same nested mapping, that of `StoredSettings`. An option is a value within it; its
last word alone will do, as `learning_rate`, and a part is called by its own word, as `optimizer:
adamw`. What is left out is as the data set asks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from tfkd._checks import check_choice, did_you_mean
from tfkd.data.places import Places
from tfkd.data.settings import FOLDER, name_and_root
from tfkd.runs.circumstances import PLACES, Circumstances
from tfkd.runs.files import why
from tfkd.runs.options import ALIASES, Option, option_at, options, value_of
from tfkd.runs.preparation import prepared, without_own
from tfkd.runs.recipes import defaults
from tfkd.runs.schedules import Step
from tfkd.runs.settings import MethodSettings, Recipe, RunSettings

Written = dict[str, Any]
"""What was written, by the names of `StoredSettings` and the structs in it."""


def nested(written: Mapping[str, Any]) -> Written:
    """Return what was written, every value at its place.

    Args:
        written: names of options, `lr`, `wd` and `bs` among them, or parts as they are nested,
            with underscores or hyphens; None stands for what is left out, unless that is a value of
            its own.

    Raises:
        ValueError: for an unknown name, or a value that cannot be.

    Example:
        >>> nested({"optimizer": "adamw", "learning-rate": 0.01})
        {'recipe': {'optimizer': {'name': 'adamw', 'learning_rate': 0.01}}}
    """
    result: Written = {}
    for name, value in written.items():
        typed = _unabbreviated(name)
        option = options().get(typed)
        if isinstance(value, Mapping):
            path = (typed,) if option is None else option.path
            _put_all(result, _parts().get(typed, path), value)
        else:
            _put(result, (typed,) if option is None else option.path, value)
    return _as_typed(result)


def _unabbreviated(name: object) -> str:
    typed = str(name).replace("-", "_")
    return ALIASES.get(typed, typed)


@cache
def _parts() -> dict[str, tuple[str, ...]]:
    """Names of the parts, and where they are."""
    found = {}
    for option in options().values():
        for length in range(1, len(option.path)):
            found[option.path[length - 1]] = option.path[:length]
    return found


def _put_all(into: Written, path: tuple[str, ...], values: Mapping[str, Any]) -> None:
    option = option_at(path)
    if path not in _parts().values() and not (option is not None and option.is_mapping):
        raise _unknown(path)
    for name, value in values.items():
        inner = (*path, _unabbreviated(name))
        if isinstance(value, Mapping):
            _put_all(into, inner, value)
        else:
            _put(into, inner, value)


def _put(into: Written, path: tuple[str, ...], value: object) -> None:
    option = option_at(path)
    if option is None and path[-1] != "numbers":  # a part, called by its own word
        option = option_at((*path, "run" if path == ("teacher",) else "name"))
    if option is None:
        raise _unknown(path)
    if option.is_mapping and value is not None:
        _put_all(into, path, _pairs(option, value))
        return
    path = option.path
    if value is None and not option.may_be_none:
        return
    for name in path[:-1]:
        into = into.setdefault(name, {})
    meant = value_of(option, value)
    said = into.setdefault(path[-1], meant)
    if said is not meant and said != meant:
        raise ValueError(f"Expected one value of `{option.name}`, got {said!r} and {meant!r}.")


def _pairs(option: Option, value: object) -> dict[str, str]:
    """What is written as NAME=VALUE, once or several times."""
    found: dict[str, str] = {}
    for word in value if isinstance(value, (list, tuple)) else [value]:
        name, equals, said = str(word).partition("=")
        if not equals or not name or not said:
            raise ValueError(f"Expected NAME=VALUE for `{option.name}`, got {word!r}.")
        if found.setdefault(name, said) != said:
            raise ValueError(f"Expected one value of `{name}`, got {found[name]} and {said}.")
    return found


def _unknown(path: tuple[str, ...]) -> ValueError:
    hint = did_you_mean(path[-1], options())
    return ValueError(f"Expected a name of an option, got {'.'.join(path)[:200]!r}.{hint}")


def _as_typed(written: Written) -> Written:
    """The same, with a teacher that is stored by its kind as it is typed, and timm's optimisers."""
    optimizer = written.get("recipe", {}).get("optimizer", {})
    name = optimizer.get("name", "timm")
    if name not in _variants()["optimizer"]:
        optimizer |= {"name": "timm", "algorithm": name}
    teacher = written.get("teacher")
    if teacher is not None and "kind" in teacher:
        check_choice("kind", teacher.pop("kind"), ("run", "weights"))
        if "model" in teacher:
            teacher["run"] = teacher.pop("model")
    return written


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
    gamma = getattr(settings.recipe.schedule, "gamma", 0.0)
    if gamma > 1.0 and "focusing" in settings.method.numbers:
        raise ValueError(
            f"Expected `gamma` of at most 1 with the method {settings.method.name}, got {gamma:g}: "
            f"it multiplies the learning rate.{_OF_METHODS['gamma']}"
        )
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

    How photographs are shown is said in it, as `tfkd.runs.preparation.prepared` fills it in.

    Args:
        written: the part `recipe` of what `nested` returns.
        circumstances: that may say where the data lie.

    Raises:
        ValueError: for a value that cannot be.
    """
    places = circumstances.places or Places()
    data = written.get("data", {}).get("name", FOLDER if places.of_a_folder else "digits")
    if data == FOLDER and places.of_a_folder:
        name, root = FOLDER, places.root
    else:
        name, root = name_and_root(data, places.root)
    if name == "digits" and root is not None:
        raise ValueError(
            f"Expected no `data_root` for digits, which come with scikit-learn, got {root}."
        )
    written = {**written, "data": {**written.get("data", {}), "name": name}}
    recipe = prepared(changed(defaults(name).recipe, written))
    if recipe.weights is not None:  # wherever the run is trained
        weights = str(Path(recipe.weights).expanduser().absolute())
        recipe = msgspec.structs.replace(recipe, weights=weights)
    return recipe, circumstances.with_places(replace(places, root=root).absolute())


def changed(recipe: Recipe, written: Mapping[str, Any]) -> Recipe:
    """Return a recipe with what was written changed.

    Another optimiser or schedule keeps the numbers that it has in common with the one before, but
    for learning rate and weight decay, which are an optimiser's own. With other `epochs` the
    milestones of the schedule move in proportion, unless they are given.

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


@cache
def _variants() -> dict[str, dict[str, type[msgspec.Struct]]]:
    """By name of a part that has variants, and by theirs, what they say."""
    hints = get_type_hints(Recipe)
    return {
        part: {own.__struct_config__.tag: own for own in get_args(hints[part])}
        for part in ("optimizer", "schedule")
    }


_OF_METHODS = {"gamma": " The exponent γ of the focal losses is `focusing`."}
"""What may be meant by a number of a variant that does not take it."""


def _variant(part: str, before: Written, written: Mapping[str, Any]) -> Written:
    """The values of a part that has variants, of which each says other things."""
    variants, name = _variants()[part], written.get("name", before["name"])
    known = ("name", *variants[name].__struct_fields__)
    for field in written:
        if field not in known:
            called = {**before, **written}.get("algorithm", name) if name == "timm" else name
            raise ValueError(
                f"Expected no `{field}` for the {part} {called}, got {written[field]}."
                f"{_OF_METHODS.get(field, '')}"
            )
    kept = {field: value for field, value in before.items() if field in known}
    if part == "optimizer":
        kept = _without_own_numbers(kept, written)
    if name == "timm" and "algorithm" not in {**kept, **written}:
        raise ValueError("Expected the name of an optimiser of timm for `optimizer`, got timm.")
    if name == "step" and "milestones" not in {**kept, **written}:
        raise ValueError("Expected `milestones` for the schedule step, got none.")
    return {**kept, **written}


def _without_own_numbers(before: Mapping[str, Any], written: Mapping[str, Any]) -> Written:
    """What another optimiser keeps: no learning rate and weight decay of the one before."""
    if all(written.get(part, before.get(part)) == before.get(part) for part in _WHICH):
        return dict(before)
    return {name: value for name, value in before.items() if name not in _ITS_OWN}


_WHICH = ("name", "algorithm")
_ITS_OWN = ("algorithm", "learning_rate", "weight_decay")


def _teacher(written: Mapping[str, Any]) -> Written:
    """A teacher as it is stored; typed, it is a run, or beside its weights a model."""
    said = {name: value for name, value in written.items() if value is not None}
    if "run" not in said:
        names = [f"`teacher_{name}`" for name in said]
        raise ValueError(f"Expected `teacher` beside {', '.join(names)}.")
    if "weights" not in said:
        return {"kind": "run", **said}
    if "epoch" in said:
        raise ValueError("Expected `teacher_epoch` or `teacher_weights`, got both.")
    return {"kind": "weights", "model": said.pop("run"), **said}


def _converted(values: object, kind: Any) -> Any:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise ValueError(why(error)) from error


def merged(first: Written, second: Written) -> Written:
    """Return what two sources say together, of which the second has the last word.

    Where it names another optimiser, schedule, method or folder, what the first said of its own
    goes as far as it does not suit that; where it names another student or data set, how the first
    student is shown photographs goes, as far as that student says it itself.

    Args:
        first: as `nested` returns it.
        second: likewise.

    Example:
        >>> file = nested({"method": "tf_kd_reg", "alpha": 0.3, "momentum": 0.8})
        >>> merged(file, nested({"method": "label_smoothing", "optimizer": "adamw"}))
        {'method': {'name': 'label_smoothing'}, 'recipe': {'optimizer': {'name': 'adamw'}}}
    """
    first, recipe, other = _joined({}, first), first.get("recipe", {}), second.get("recipe", {})
    for part, variants in _variants().items():
        name = other.get(part, {}).get("name")
        if part in recipe and name in variants:
            kept = ("name", *variants[name].__struct_fields__)
            said = {n: v for n, v in recipe[part].items() if n in kept}
            if part == "optimizer" and "name" in said:
                said = _without_own_numbers(said, other[part])
            first["recipe"][part] = said
    method, another = (said.get("method", {}).get("name") for said in (first, second))
    if method != another and None not in (method, another):
        first["method"].pop("numbers", None)
    if _another(recipe, other, "student") or _another(
        recipe.get("data", {}), other.get("data", {}), "name"
    ):
        first.setdefault("recipe", {})["data"] = without_own(recipe)
    if recipe.get("data", {}).get("name") == FOLDER and "name" in other.get("data", {}):
        for place in PLACES:
            first.get("circumstances", {}).pop(place, None)
        for form in ("label_separator", "label_columns"):
            first["recipe"]["data"].pop(form, None)
    return _joined(first, second)


def _another(first: Mapping[str, Any], second: Mapping[str, Any], name: str) -> bool:
    """Whether both name something, and not the same."""
    return None not in (first.get(name), second.get(name)) and first[name] != second[name]


def _joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> Written:
    result = dict(first)
    for name, value in second.items():
        result[name] = _joined(first.get(name, {}), value) if isinstance(value, dict) else value
    return result


def read_written(file: Path) -> Written:
    """Read what somebody wrote down in a YAML or JSON file.

    Of a run's settings.json, the teacher and the weights that it started from lie where that run
    found them.

    Args:
        file: as `tfkd.runs.plain_yaml.read_plain_yaml` takes it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it holds something else.
    """
    from tfkd.runs.plain_yaml import read_plain_yaml  # only here, for a quick start

    written = read_plain_yaml(file)
    places = {"teacher": ("run", "weights"), "recipe": ("weights",)}
    for part, names in places.items() if "circumstances" in written else ():
        values = written.get(part)
        if isinstance(values, dict):
            for name in names:
                if isinstance(values.get(name), str):
                    values[name] = os.path.normpath(file.parent / values[name])
    return written
