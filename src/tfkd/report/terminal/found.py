"""What was found, and what a run will do: said before it is trained, in a few plain lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import torch

from tfkd.data import ImageData, LeftOut
from tfkd.data.identity import SPLITS
from tfkd.data.settings import FOLDER
from tfkd.data.sources.imagenet import IMAGENET_MEAN, IMAGENET_STD
from tfkd.models import model_names
from tfkd.references import is_reference
from tfkd.report.facts import beside_the_usual
from tfkd.report.number_text import duration, number_of
from tfkd.report.terminal.rows import NAMES, WIDTH, laid_out, listed
from tfkd.report.text import visible
from tfkd.runs import MethodSettings, Recipe, RunSettings
from tfkd.runs.settings import variant
from tfkd.study.estimate import estimate_run
from tfkd.train.memory import bytes_remembered
from tfkd.train.progress import Beginning

UNEVEN = 3
"""So many times the smallest class, the largest makes a data set uneven."""

FEW_IMAGES = 200
"""With fewer, an image of a split is more than half a point."""

FEW_PHOTOGRAPHS = 50_000
"""With fewer, pretrained weights usually do much better than a start from scratch."""

MUCH_REMEMBERED = 1_000_000
"""From so many bytes on it is said what a loss remembers."""

LEFT = WIDTH - NAMES
Row = tuple[str, str]
Measured = Literal["test", "validation"]


def found_for_run(beginning: Beginning) -> list[str]:
    """Return what is said before a run: its data, its network, what it does, and for how long."""
    data, settings = beginning.data, beginning.settings
    recipe = settings.recipe
    seconds = estimate_run(settings, data, workers=beginning.circumstances.workers)
    rows = [
        *data_rows(data),
        ("network", f"{recipe.student}, {size_words(beginning.parameters, beginning.trained)}"),
        *start_rows(data, recipe),
        ("method", _method(settings)),
        *_remembered(settings.method, data),
        ("training", training_words(recipe)),
        ("time", f"{time_words(seconds)}{and_compiling([recipe])}"),
        *worth_knowing(data, recipe),
    ]
    return laid_out(rows)


def data_rows(data: ImageData) -> Iterator[Row]:
    """Yield what was found of the data, and how images are shown."""
    counts = _counts(data)
    by_count = sorted(range(data.num_classes), key=lambda label: counts[label])
    few, many = by_count[0], by_count[-1]
    classes = [visible(name) for name in data.classes]
    sizes = f"{number_of(counts[few], 'image')} each"
    if counts[few] != counts[many]:
        sizes = (
            f"from {counts[few]:,} ({classes[few]}) to {counts[many]:,} ({classes[many]}) images"
        )
    if data.several_labels:
        number = number_of(data.num_classes, "label")
        yield "data", f"{data.name}: {number}, an image may have several; {sizes}"
    else:
        yield "data", f"{data.name}: {data.num_classes} classes, {sizes}"
    yield "labels" if data.several_labels else "classes", listed(classes, LEFT)
    for name in SPLITS:
        images = number_of(len(getattr(data, name)), "image")
        yield name, f"{images}: {data.origins[name]}" if name in data.origins else images
    if data.left_out:
        total = sum(part.count for part in data.left_out)
        yield "left out", f"{number_of(total, 'file')}: {'; '.join(map(_left_out, data.left_out))}"
    for remark in data.remarks:
        yield "note", remark
    yield "shown as", _shown(data)
    yield "augmentation", _augmentation(data)


def _counts(data: ImageData) -> list[int]:
    """Images of each class, or that have each label, of all splits together."""
    total = torch.zeros(data.num_classes, dtype=torch.int64)
    for name in SPLITS:
        labels = getattr(data, name).labels
        if data.several_labels:
            total += (labels == 1.0).sum(0)
        else:
            total += torch.bincount(labels, minlength=data.num_classes)
    return [int(count) for count in total]


def _left_out(part: LeftOut) -> str:
    examples = f" ({', '.join(part.examples[:2])})" if part.examples else ""
    what, _, more = part.reason.partition(" ")
    if part.count == 1 and what in ("images", "files", "folders"):
        what = what[:-1]
    return f"{part.count:,} {what} {more}{examples}".rstrip()


def _shown(data: ImageData) -> str:
    size = f"{data.image_size} × {data.image_size}, {'grey' if data.channels == 1 else 'RGB'}"
    how = ""
    if data.fit != "square":
        cut = f"crop {data.crop_fraction:.3g}" if data.fit == "centre-crop" else data.fit
        how = f", {cut}, {data.interpolation}"
    if (data.mean, data.std) == (IMAGENET_MEAN, IMAGENET_STD):
        return f"{size}{how}, ImageNet's mean and sd"
    return f"{size}{how}, mean {_by_channel(data.mean)}, sd {_by_channel(data.std)}"


def _by_channel(values: tuple[float, ...]) -> str:
    """The numbers of the channels; one, where they are the same."""
    return " ".join(f"{value:.3g}" for value in (values if len(set(values)) > 1 else values[:1]))


def _augmentation(data: ImageData) -> str:
    return data.augmentation.words


def start_rows(data: ImageData, recipe: Recipe) -> Iterator[Row]:
    """Yield what the weights start from; of known data sets everybody knows it."""
    if recipe.weights is not None:
        yield "start", f"from the weights in {Path(recipe.weights).name}"
    elif recipe.pretrained:
        yield "start", "from timm's pretrained weights"
    elif recipe.data.name == FOLDER:
        if len(data.train) >= FEW_PHOTOGRAPHS:
            yield "start", "from scratch"
        elif recipe.student in model_names() or is_reference(recipe.student):
            yield "start", "scratch; usually much better: --student timm/resnet18 --pretrained"
        else:
            yield "start", "from scratch: --pretrained is usually much better"


def _method(settings: RunSettings) -> str:
    teacher = settings.teacher
    place = None if teacher is None else getattr(teacher, "weights", None) or teacher.run  # type: ignore[union-attr]
    taught = "" if place is None else f"; taught by {place}"
    return f"{_numbers(settings.method)}{taught}"


def _numbers(method: MethodSettings) -> str:
    numbers = {name: value for name, value in method.numbers.items() if (name, value) != _NO_SCALE}
    dialect = "" if method.dialect == "tfkd" else f" ({method.dialect})"
    said = ", ".join(f"{name} {value:g}" for name, value in numbers.items())
    return f"{method.row.title}{dialect}{': ' if said else ''}{said}"


def _remembered(method: MethodSettings, data: ImageData) -> Iterator[Row]:
    needed = bytes_remembered(method, data)
    if needed >= MUCH_REMEMBERED:
        yield "remembers", f"{needed / 1e6:.3g} MB of what it saw of images and classes"


_NO_SCALE = ("scale", 1.0)


def training_words(recipe: Recipe) -> str:
    """Return epochs, batches, optimiser and learning rate."""
    optimizer = recipe.optimizer
    steps = f"{number_of(recipe.epochs, 'epoch')}, batches of {recipe.batch_size}"
    rate = f"learning rate {optimizer.learning_rate:g}, {variant(recipe.schedule)}"
    return ", ".join([f"{steps}; {variant(optimizer)}", rate, *beside_the_usual(recipe)])


def time_words(seconds: float) -> str:
    """Return a time on this machine."""
    device = (
        "a GPU" if torch.cuda.is_available() else f"{number_of(torch.get_num_threads(), 'core')}"
    )
    return f"about {duration(seconds)} here on {device}" if seconds < math.inf else "not known"


def and_compiling(recipes: Iterable[Recipe], of: str = "") -> str:
    """Return what to say behind a time, in which compiling is not counted.

    Args:
        recipes: of the runs.
        of: ` of each run` where there are several.
    """
    compiles = any(recipe.compile for recipe in recipes)
    return f", and compiling{of}, half a minute or more" if compiles else ""


def worth_knowing(data: ImageData, recipe: Recipe, *, split: Measured = "test") -> Iterator[Row]:
    """Yield what makes numbers of these data hard to read.

    Args:
        data: that are looked at.
        recipe: of the runs.
        split: that decides.
    """
    counts = _counts(data)
    balanced = recipe.class_weights != "none" or data.sampler == "balanced"
    if max(counts) >= UNEVEN * min(counts) and not balanced:
        sampler = "" if data.several_labels else " and --sampler balanced"
        yield (
            "uneven",
            f"{max(counts):,} : {min(counts):,}: see --class-weights balanced{sampler}",
        )
    images = len(getattr(data, split))
    if 0 < images < FEW_IMAGES:
        images_of = number_of(images, f"{split} image")
        few = ", few to choose by" if split == "validation" else ""
        yield "note", f"{images_of}{few}: one image is {100 / images:.1f} points"


def size_words(parameters: int, trained: int | None = None) -> str:
    """Return how large a network is, and how much of it is trained, where that is not all.

    Args:
        parameters: that it has.
        trained: of those; None: all.
    """
    some = trained is not None and trained != parameters
    part = f", {millions(trained or 0)} of them trained" if some else ""
    return f"{millions(parameters)} parameters{part}"


def millions(count: int) -> str:
    """Return a large number in words."""
    return f"{count / 1e6:.3g} million" if count >= 1e6 else f"{count:,}"
