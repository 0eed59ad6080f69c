"""Of which classes a file of weights is, where it or what lies beside it says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tfkd._checks import is_writable
from tfkd.data.identity import how_classes_differ
from tfkd.runs import RunDirectory, files
from tfkd.runs.directory import SNAPSHOT
from tfkd.runs.tensors import read_metadata
from tfkd.train.weights.file import IN_A_FOLDER, is_safetensors

MANY = 5
"""Classes that a sentence names."""


def classes_of(file: Path, *, number: int) -> tuple[str, ...] | None:
    """Return the classes of a file of weights, in the order of its logits.

    They are known of a run, by its `data.json`; of safetensors with `classes` among the metadata,
    as `tfkd export` writes them; and of a folder with `classes.json`, or `config.json` with
    `label_names` as timm's hub has it.

    Args:
        file: of weights that can be read.
        number: of classes of its head; who says others speaks of another head.

    Returns:
        Their names; None if nobody says them.

    Raises:
        ValueError: if the file is that of a run whose `data.json` is damaged.
    """
    run = _run_of(file)
    said = map(_names, _said(file)) if run is None else iter([run.data().classes])
    return next((names for names in said if len(names) == number), None)


def check_classes(file: Path, classes: Sequence[str], *, name: str) -> None:
    """Check that the weights of a teacher are not known to be for other classes.

    Args:
        file: of weights with a head for as many.
        classes: of the data.
        name: of the network.

    Raises:
        ValueError: naming the first that differs, and the file.
    """
    theirs = classes_of(file, number=len(classes))
    differing = None if theirs is None else how_classes_differ(tuple(classes), theirs)
    if differing is not None:
        raise ValueError(
            f"Expected `teacher_weights` with the student's {differing} in {file}. "
            f"Fine-tune it first, with tfkd train --student {name} --weights {file}, and let that "
            "run teach."
        )


def only_the_number(file: Path, classes: Sequence[str]) -> str:
    """Return the beginning of a sentence about weights of which nobody says the classes."""
    return f"{file} does not say its classes, so only their number, {len(classes)}, was checked"


def these(classes: Sequence[str]) -> str:
    """Return the names of a few classes, or the first of many."""
    more = f", … ({len(classes)} of them)" if len(classes) > MANY else ""
    return ", ".join(classes[:MANY]) + more


def _run_of(file: Path) -> RunDirectory | None:
    """The run that wrote a file of weights; None if none did."""
    run = RunDirectory(file.parent)
    if file.name != run.weights_file().name:
        run = RunDirectory(file.parent.parent)
        if file.parent != run.snapshots_folder or SNAPSHOT.fullmatch(file.name) is None:
            return None
    return run if run.settings_file.is_file() and run.data_file.is_file() else None


def _said(file: Path) -> Iterator[Any]:
    """What is said of the classes, by the file itself first."""
    if is_safetensors(file):
        yield _parsed(read_metadata(file).get("classes", "").encode())
    if file.name in IN_A_FOLDER:
        yield _read(file.with_name("classes.json"))
        found = _read(file.with_name("config.json"))
        for part in (found, found.get("pretrained_cfg") if isinstance(found, dict) else None):
            if isinstance(part, dict):
                yield part.get("label_names")


def _read(file: Path) -> Any:
    try:
        return _parsed(files.read_bytes(file))
    except (OSError, ValueError):  # of others, who may write there what they like
        return None


def _parsed(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def _names(said: Any) -> tuple[str, ...]:
    if not isinstance(said, list) or not all(map(_is_name, said)):
        return ()
    return tuple(said)


def _is_name(said: object) -> bool:
    return isinstance(said, str) and is_writable(said)
