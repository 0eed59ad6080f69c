"""What was found, and how the run was made of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from tfkd.data import DataIdentity
from tfkd.report.facts import device_in_words, recipe_in_words, versions_in_words
from tfkd.report.number_text import duration
from tfkd.report.run_page.run_data import RunOnPage
from tfkd.report.section import Section
from tfkd.report.tables import Table, Value
from tfkd.report.text import visible
from tfkd.runs import MethodSettings, Recipe, RunTeacher
from tfkd.runs.settings import TeacherSettings

SPLITS = ("train", "validation", "test")


def what_was_found(run: RunOnPage) -> Section:
    """Return the section on data, network, method and machine."""
    return Section(
        "found",
        "What was it made of?",
        _answer(run),
        facts=tuple(_facts(run)),
        tables=(*_classes(run), _settings(run)),
    )


def start(recipe: Recipe) -> str:
    """Return with which weights a run begins, in words."""
    if recipe.weights is not None:
        return "from the weights of a file"
    return "from pretrained weights" if recipe.pretrained else "from scratch"


def _answer(run: RunOnPage) -> str:
    if run.identity is None:
        return "Nothing was looked at yet: the run was not begun."
    samples, classes = run.identity.samples, run.classes
    text = (
        f"Of {visible(run.identity.name)}: {sum(samples.values())} images of {len(classes)} "
        f"classes, of which {samples['train']} were trained on, {samples['validation']} held out "
        f"for validation and {samples['test']} for the test."
    )
    counts = _counts(run)
    if "train" in counts:
        train = counts["train"]
        most, fewest = int(np.argmax(train)), int(np.argmin(train))
        if train[most] != train[fewest]:
            text += (
                f" The largest class, “{visible(classes[most])}”, has {train[most]} images to "
                f"train on, the smallest, “{visible(classes[fewest])}”, {train[fewest]}."
            )
    return text


def _facts(run: RunOnPage) -> Iterator[tuple[str, str]]:
    stored, recipe = run.stored, run.stored.recipe
    if run.places.root is not None:
        yield "images lie in", visible(run.places.root)
    for name, place in run.places.of_a_folder.items():
        yield name.replace("_", " "), visible(place)
    if run.data is not None:
        for split, words in run.data.origins.items():
            yield f"{split} images", visible(words)
        for left_out in run.data.left_out:
            examples = ", ".join(map(visible, left_out.examples))
            yield "left out", f"{left_out.count} × {visible(left_out.reason)}: {examples}"
        for remark in run.data.remarks:
            yield "remark", visible(remark)
    if run.identity is not None:
        yield "how images are prepared", _preparation(run.identity)
    named = recipe.data.augmentation
    yield "augmentation", named if run.data is None else run.data.augmentation.words
    parameters = "" if run.result is None else f", {run.result.parameters:,} parameters"
    yield "network", f"{recipe.student}{parameters}, {start(recipe)}"
    yield "method", method_in_words(stored.method)
    if stored.teacher is not None:
        yield "teacher", visible(_teacher(stored.teacher))
    yield "recipe", recipe_in_words(recipe)
    yield "seed", str(stored.seed)
    if run.result is not None:
        yield "time", f"{duration(run.result.seconds)} of training"
    if run.environment is not None:
        yield "machine", visible(device_in_words(run.environment))
        yield "versions", visible(versions_in_words(run.environment))
        yield "commit", visible(run.environment.commit or "none")


def method_in_words(method: MethodSettings) -> str:
    """Return a method's title with its numbers."""
    numbers = ", ".join(f"{name} {value:g}" for name, value in method.numbers.items())
    dialect = "" if method.dialect == "tfkd" else f" in the dialect {method.dialect}"
    return f"{method.row.title}{dialect}{f': {numbers}' if numbers else ''}"


def _teacher(teacher: TeacherSettings) -> str:
    if isinstance(teacher, RunTeacher):
        after = "" if teacher.epoch is None else f" after epoch {teacher.epoch}"
        return f"the network of the run {teacher.run}{after}"
    return f"{teacher.model} with the weights of {teacher.weights}"


def _preparation(data: DataIdentity) -> str:
    size = data.image_size
    if data.fit == "square":
        fit = f"resized to {size} × {size} pixels"
    else:
        resized = math.floor(size / data.crop_fraction)
        side = "the shorter side" if data.fit == "centre-crop" else "both sides"
        fit = (
            f"{side} resized to {resized} pixels ({data.interpolation}), of which the middle "
            f"{size} × {size} are cut out"
        )
    mean, std = (", ".join(f"{value:.3g}" for value in values) for values in (data.mean, data.std))
    colours = "grey" if data.channels == 1 else "RGB"
    return f"{colours}, {fit}; normalised by mean {mean} and standard deviation {std}"


def _counts(run: RunOnPage) -> dict[str, list[int]]:
    """Images by class of each split that is known."""
    num_classes = len(run.classes)
    found = {}
    for split in SPLITS:
        labels = None
        if run.data is not None:
            labels = getattr(run.data, split).labels.numpy()
        elif split == "test" and run.test is not None:
            labels = run.test.own
        if labels is not None:
            found[split] = np.bincount(labels, minlength=num_classes).tolist()
    return found


def _classes(run: RunOnPage) -> list[Table]:
    counts = _counts(run)
    if not counts:
        return []
    rows: list[tuple[Value, ...]] = [
        (visible(name), *(found[place] for found in counts.values()))
        for place, name in enumerate(run.classes)
    ]
    rows.append(("all", *(sum(found) for found in counts.values())))
    return [Table("Images by class and split", ("class", *counts), tuple(rows))]


def _settings(run: RunOnPage) -> Table:
    """Every setting that changes a number, by its name in settings.json."""
    settings = msgspec.to_builtins(run.stored)
    settings.pop("circumstances")
    rows = tuple((name, visible(str(value))) for name, value in _leaves(settings))
    return Table("Every setting", ("setting", "value"), rows)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}".lstrip("."))
    else:
        yield name, value
