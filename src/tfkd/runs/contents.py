"""What the JSON files of a run hold."""

from __future__ import annotations

from typing import Any, TypedDict

from tfkd._checks import is_writable
from tfkd._typed import typed

MOST_PIXELS = 1 << 14
"""Height and width that a data set may state."""


class Metrics(TypedDict):
    """Of one split; fractions and nats."""

    accuracy: float
    nll: float
    ece: float
    brier: float
    aurc: float


class TrainMetrics(TypedDict):
    """Of the last epoch of training."""

    loss: float
    accuracy: float


class Samples(TypedDict):
    """Images by split."""

    train: int
    validation: int
    test: int


class Result(TypedDict):
    """result.json."""

    test: Metrics
    validation: Metrics | None
    train: TrainMetrics
    epochs: int
    seconds: float
    samples: Samples
    parameters: int


class Epoch(TypedDict):
    """A line of metrics.jsonl."""

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_accuracy: float | None
    validation_nll: float | None
    seconds: float


class Environment(TypedDict):
    """environment.json."""

    versions: dict[str, str | None]
    system: str
    device: str
    device_name: str
    threads: int
    processes: int
    commit: str | None


class TaughtBy(TypedDict):
    """teacher.json."""

    sha256: str


class Data(TypedDict):
    """data.json."""

    name: str
    classes: list[str]
    channels: int
    image_size: int
    mean: list[float]
    std: list[float]
    fingerprint: str


def checked_data(values: Any) -> dict[str, Any]:
    """Return what data.json holds; `ValueError` for what no data set can be."""
    data: dict[str, Any] = typed(Data, values, "data")
    if len(data["classes"]) < 2:
        raise ValueError(f"Expected at least 2 `classes`, got {len(data['classes'])}.")
    for name in data["classes"]:
        if not is_writable(name):
            raise ValueError(f"Expected `classes` without control characters, got {name!a}.")
    if data["channels"] not in (1, 3):
        raise ValueError(f"Expected `channels` 1 or 3, got {data['channels']}.")
    if not 1 <= data["image_size"] <= MOST_PIXELS:
        raise ValueError(
            f"Expected `image_size` from 1 to {MOST_PIXELS}, got {data['image_size']}."
        )
    for name in ("mean", "std"):
        if len(data[name]) != data["channels"]:
            raise ValueError(
                f"Expected {data['channels']} numbers of `{name}`, got {len(data[name])}."
            )
    if not all(value > 0.0 for value in data["std"]):
        raise ValueError(f"Expected `std` above 0, got {data['std']}.")
    return data
