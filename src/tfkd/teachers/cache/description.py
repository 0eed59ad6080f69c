"""The description of a teacher cache, cache.json: what each file holds, with checksums."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from tfkd.teachers.cache.forms import StoredForm
from tfkd.teachers.cache.sampling import Sampling

DESCRIPTION = "cache.json"
VERSION = 2
MOST_BYTES = 1 << 24
"""Of a description; a usual one has two thousand."""
LARGEST_INDEX = 2**31 - 1
"""Sample indices number a data set from 0: a larger one is something else."""
MOST_DIMENSIONS = 63
"""Behind the one of samples; torch has 64."""


class Column(TypedDict):
    """One file of raw numbers; `shape` is that of a row."""

    dtype: str
    shape: list[int]
    sha256: str


class Error(TypedDict):
    """Total variation distances of a form, at one temperature."""

    largest: float
    mean: float


@dataclass(frozen=True)
class Description:
    """What `cache.json` holds, beside its version and its own checksum.

    Raises:
        ValueError: for what no writer of caches says.
    """

    form: str
    byte_order: str
    shape: tuple[int, ...]
    rows: int
    views: int
    columns: dict[str, Column]
    total_variation: dict[str, Error]
    seconds: float
    identity: dict[str, str]
    sampling: Sampling | None = None

    def __post_init__(self) -> None:
        if self.byte_order != sys.byteorder:
            raise ValueError(f"Expected byte order {sys.byteorder}, got {self.byte_order[:80]}.")
        if not 1 <= len(self.shape) <= MOST_DIMENSIONS:
            raise ValueError(
                f"Expected `shape` with 1 to {MOST_DIMENSIONS} dimensions, got {len(self.shape)}."
            )
        for size in self.shape:
            _check_range("shape", size, 1, LARGEST_INDEX)
        _check_range("rows", self.rows, 1, 2**63 - 1)
        _check_range("views", self.views, 1, self.rows)
        if self.rows % self.views:
            raise ValueError(f"Expected `rows` in {self.views} equal views, got {self.rows}.")
        if not 0.0 <= self.seconds < math.inf:
            raise ValueError(f"Expected `seconds` of at least 0, got {self.seconds}.")
        if (StoredForm(self.form).draws is None) != (self.sampling is None):
            raise ValueError(
                f"Expected `sampling` of forms that are drawn alone, got {self.form} "
                f"{'without' if self.sampling is None else 'with'} it."
            )
        self._check_errors()
        self._check_columns()

    def _check_errors(self) -> None:
        temperatures = StoredForm(self.form, self.sampling).temperatures
        wanted = {f"{temperature:g}" for temperature in temperatures}
        if set(self.total_variation) != wanted:
            raise ValueError(
                f"Expected `total_variation` at temperatures {', '.join(sorted(wanted))}, got "
                f"{_names(self.total_variation)}."
            )
        for temperature, error in self.total_variation.items():
            for name, value in (("largest", error["largest"]), ("mean", error["mean"])):
                if not 0.0 <= value <= 1.0:
                    raise ValueError(
                        f"Expected `total_variation.{temperature}.{name}` in [0, 1], got {value}."
                    )

    def _check_columns(self) -> None:
        layout = StoredForm(self.form).layout(self.shape)
        if set(self.columns) != {*layout, "positions"}:
            raise ValueError(
                f"Expected `columns` {_names({**layout, 'positions': 0})} of the form {self.form}, "
                f"got {_names(self.columns)}."
            )
        for name, column in self.columns.items():
            if name == "positions":
                dtype, shape = "int64", column["shape"]
                if len(shape) != 1 or not self.rows // self.views <= shape[0] <= LARGEST_INDEX + 1:
                    raise ValueError(
                        "Expected `columns.positions.shape` to be a number from "
                        f"{self.rows // self.views} to {LARGEST_INDEX + 1}, got {_short(shape)}."
                    )
            else:
                dtype, shape = str(layout[name][0]).removeprefix("torch."), list(layout[name][1])
            if column["dtype"] != dtype or column["shape"] != shape:
                raise ValueError(
                    f"Expected `columns.{name}` of {dtype} {_short(shape)} for the form "
                    f"{self.form} and outputs {_short(list(self.shape))}, got "
                    f"{_short(column['dtype'])} {_short(column['shape'])}."
                )
            if not re.fullmatch("[0-9a-f]{64}", column["sha256"]):
                raise ValueError(
                    f"Expected a SHA-256 in `columns.{name}.sha256`, got "
                    f"{_short(column['sha256'])}."
                )


def write_description(path: Path, description: Description) -> None:
    """Write the description of a cache, whole or not at all."""
    values = {"version": VERSION, **dataclasses.asdict(description)}
    values["shape"] = list(description.shape)
    if description.sampling is None:  # as all descriptions were before
        del values["sampling"]
    values["sha256"] = _digest(values)
    temporary = path / f".{DESCRIPTION}"
    with temporary.open("w", encoding="utf-8") as text:
        text.write(json.dumps(values, indent=2) + "\n")
        text.flush()
        os.fsync(text.fileno())
    temporary.replace(path / DESCRIPTION)


def read_description(path: Path) -> Description:
    """Read the description of a cache; nothing that it says leads out of the directory.

    Raises:
        FileNotFoundError: if there is no finished cache.
        ValueError: if it is damaged, of another version, or not readable here.
    """
    file = path / DESCRIPTION
    if not file.is_file():
        raise FileNotFoundError(
            f"Expected a teacher cache in {path}, found no {DESCRIPTION} there: it was never "
            "finished, or is somewhere else."
        )
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"it has {file.stat().st_size} bytes, more than any")
        values = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError(f"it holds no mapping, but {type(values).__name__}")
        digest = values.pop("sha256", None)
        version, true_digest = values.get("version"), _digest(values)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"Expected the description of a teacher cache in {file}, but: {error}. "
            f"{what_to_delete(path)}"
        ) from error
    if version != VERSION or type(version) is not int:
        raise ValueError(
            f"Expected a teacher cache of version {VERSION} in {file}, got {_short(version)}. "
            f"{what_to_delete(path)}"
        )
    if digest != true_digest:
        raise ValueError(
            f"Expected {file} as it was written, but its checksum does not match. "
            f"{what_to_delete(path)}"
        )
    del values["version"]
    try:
        return _description(values)
    except ValueError as error:
        raise ValueError(
            f"Expected {file} as a teacher cache has it: {error} {what_to_delete(path)}"
        ) from error


def what_to_delete(path: Path) -> str:
    """Return a sentence: how a damaged cache is mended."""
    return f"Delete the directory {path} to make this teacher cache anew."


def _description(values: dict[str, Any]) -> Description:
    """Return a description of values as JSON has them; `ValueError` naming one of another type."""
    names = [field.name for field in dataclasses.fields(Description)]
    values.setdefault("sampling", None)
    for name in {**dict.fromkeys(names), **values}:
        if (name in names) != (name in values):
            raise ValueError(f"Expected {', '.join(names)}, but they differ in {_short(name)}.")
    for name, value, kind in _typed_values(values):
        # Python counts true and false among the numbers, and has whole ones above all others.
        large = kind is _NUMBER and isinstance(value, int) and abs(value) > sys.float_info.max
        if not isinstance(value, kind) or isinstance(value, bool) or large:
            got = "one too large" if large else type(value).__name__
            raise ValueError(f"Expected `{name}` to be {_KINDS[kind]}, got {got}.")
    sampling = values["sampling"] and Sampling(**values["sampling"])
    return Description(**{**values, "shape": tuple(values["shape"]), "sampling": sampling})


_NUMBER = (int, float)
_KINDS: dict[Any, str] = {str: "text", int: "a whole number", _NUMBER: "a number"}
_KINDS |= {dict: "a mapping", list: "a list"}


def _typed_values(values: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, value and kind of every part, the whole before what is in it."""
    for name in ("form", "byte_order"):
        yield name, values[name], str
    for name in ("rows", "views"):
        yield name, values[name], int
    yield "seconds", values["seconds"], _NUMBER
    yield "shape", values["shape"], list
    for size in values["shape"]:
        yield "shape", size, int
    for name in ("columns", "total_variation", "identity"):
        yield name, values[name], dict
    if (sampling := values["sampling"]) is not None:
        yield "sampling", sampling, dict
        yield "sampling.temperature", sampling.get("temperature"), _NUMBER
        yield "sampling.seed", sampling.get("seed"), int
        if len(sampling) > 2:
            raise ValueError(
                f"Expected `sampling` of temperature and seed, got {_names(sampling)}."
            )
    for name, value in values["identity"].items():
        yield f"identity.{_short(name)}", value, str
    for part, kinds in (
        ("columns", {"dtype": str, "shape": list, "sha256": str}),
        ("total_variation", {"largest": _NUMBER, "mean": _NUMBER}),
    ):
        for name, inner in values[part].items():
            yield f"{part}.{_short(name)}", inner, dict
            for key, kind in kinds.items():
                yield f"{part}.{_short(name)}.{key}", inner.get(key), kind
    for name, column in values["columns"].items():
        for size in column["shape"]:
            yield f"columns.{_short(name)}.shape", size, int


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _check_range(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"Expected `{name}` from {lowest} to {highest}, got {_short(value)}.")


def _names(values: dict[str, Any]) -> str:
    return _short(", ".join(sorted(values)))


def _short(value: Any) -> str:
    text = ascii(value) if not isinstance(value, str) else ascii(value)[1:-1]
    return text if len(text) <= 80 else f"{text[:77]}..."
