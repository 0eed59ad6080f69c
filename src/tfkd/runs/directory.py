"""The files of a run, and the network that they hold."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tfkd._typed import typed
from tfkd.data import ImageData
from tfkd.models import create_model
from tfkd.runs import files
from tfkd.runs.checksums import (
    CHECKSUMS_FILE,
    read_verified,
    verify,
    what_to_delete,
    write_checksums,
)
from tfkd.runs.contents import Environment, Epoch, Result, TaughtBy, checked_data
from tfkd.runs.settings import RunSettings
from tfkd.runs.tensors import load_weights, parse_tensors


@dataclass(frozen=True)
class RunDirectory:
    """A directory that holds one run.

    settings.json            every setting; the teacher's files by their path from here
    data.json                classes, channels, size and normalisation of the images
    teacher.json             SHA-256 of the file of weights that teaches, if a network does
    environment.json         versions, commit, machine, determinism
    metrics.jsonl            one line an epoch
    result.json              written last: the run is finished
    weights.safetensors      after the last epoch
    test.safetensors         logits and labels of the test split
    snapshots/epoch-N.safetensors
    SHA256SUMS               checksums of all the above, against which a finished run is read
    checkpoint.pt            what resuming needs; gone when the run is finished
    teacher-cache/           what the network said as a teacher, for the runs that it teaches
    failure.json             what reproduces a loss that was not finite
    """

    path: Path

    @property
    def settings_file(self) -> Path:
        """Every setting."""
        return self.path / "settings.json"

    @property
    def data_file(self) -> Path:
        """Classes, channels, size and normalisation of the images."""
        return self.path / "data.json"

    @property
    def teacher_file(self) -> Path:
        """Checksum of the weights that teach."""
        return self.path / "teacher.json"

    @property
    def environment_file(self) -> Path:
        """Versions, device, commit."""
        return self.path / "environment.json"

    @property
    def metrics_file(self) -> Path:
        """One line an epoch."""
        return self.path / "metrics.jsonl"

    @property
    def result_file(self) -> Path:
        """The result; the run is finished where it exists."""
        return self.path / "result.json"

    @property
    def checkpoint_file(self) -> Path:
        """What resuming needs."""
        return self.path / "checkpoint.pt"

    @property
    def failure_file(self) -> Path:
        """What reproduces a loss that was not finite, and ended the run."""
        return self.path / "failure.json"

    @property
    def test_file(self) -> Path:
        """Logits and labels of the test split."""
        return self.path / "test.safetensors"

    def weights_file(self, epoch: int | None = None) -> Path:
        """Weights after the last epoch, or those kept after `epoch`."""
        if epoch is None:
            return self.path / "weights.safetensors"
        return self.path / "snapshots" / f"epoch-{epoch}.safetensors"

    def check(self, settings: RunSettings) -> None:
        """Check that the directory is free, or holds a run of the same settings.

        Raises:
            ValueError: if it holds a run with other settings, naming those that differ.
        """
        if not self.settings_file.exists():
            return
        there, here = self._stored(self.settings()), self._stored(settings)
        if there != here:
            differing = _differences(there.to_dict(), here.to_dict())
            raise ValueError(
                f"Expected the settings of the run in {self.path}, but they differ: "
                f"{'; '.join(differing)}. Take another directory, or the same settings."
            )

    def claim(self, settings: RunSettings, teacher_digest: str | None = None) -> None:
        """Write the settings, or check that those there are the same.

        What killed writers left half-written is removed, so only who holds the run calls it.

        Args:
            settings: of the run.
            teacher_digest: SHA-256 of the file of weights that teaches.
        """
        self.check(settings)
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / CHECKSUMS_FILE).unlink(missing_ok=True)  # of a run that was not quite finished
        for folder in (self.path, self.weights_file(0).parent):
            files.remove_leftovers(folder)
        if not self.settings_file.exists():
            if teacher_digest is not None:
                files.write_json(self.teacher_file, {"sha256": teacher_digest})
            files.write_json(self.settings_file, self._stored(settings).to_dict())

    def clear_failure(self) -> None:
        """Remove what a failed process said; whoever calls it holds the lock."""
        self.failure_file.unlink(missing_ok=True)

    def clear_finished(self) -> None:
        """Remove the checkpoint of a finished run, if it was killed before it could do so."""
        with contextlib.suppress(OSError):  # in a directory that is only read
            self.checkpoint_file.unlink(missing_ok=True)

    def settings(self) -> RunSettings:
        """Read the settings; `FileNotFoundError` if this is no run."""
        if not self.settings_file.is_file():
            raise FileNotFoundError(f"Expected a run in {self.path}, found no settings.json there.")
        stored = self._read(self.settings_file, RunSettings.from_dict)
        return _with_teacher(stored, lambda path: os.path.normpath(self.path / path))

    def _stored(self, settings: RunSettings) -> RunSettings:
        """The settings as they are stored, so that a study may move with all its runs."""
        return _with_teacher(settings, lambda path: os.path.relpath(path, self.path))

    def result(self) -> dict[str, Any] | None:
        """Read the result; None if the run is not finished."""
        if not self.result_file.exists():
            return None
        result: dict[str, Any] = self._read(
            self.result_file, lambda found: typed(Result, found, "result")
        )
        return result

    def data(self) -> dict[str, Any]:
        """Read what a network must agree with its data about."""
        found: dict[str, Any] = self._read(self.data_file, checked_data, alike=True)
        return found

    def taught_by(self) -> str | None:
        """Read the SHA-256 of the weights that teach; None if the run does not say it."""
        if not self.teacher_file.is_file():
            return None
        found = self._read(self.teacher_file, lambda values: typed(TaughtBy, values, "teacher"))
        digest: str = found["sha256"]
        return digest

    def environment(self) -> dict[str, Any]:
        """Read what produced the run."""
        found: dict[str, Any] = self._read(self.environment_file, _checked_environment, alike=True)
        return found

    def history(self) -> list[dict[str, Any]]:
        """Read the records of the epochs that are written down."""
        records: list[dict[str, Any]] = self._read(
            self.metrics_file,
            lambda found: typed(list[Epoch], found, "epoch"),
            files.parse_json_lines,
        )
        return records

    def test_logits(self) -> tuple[Tensor, Tensor] | None:
        """Read logits `(N, K)` and labels `(N,)` of the test split; None if none are kept."""
        if not self.test_file.is_file():
            return None
        content = read_verified(self.path, self.test_file)
        try:
            tensors = parse_tensors(content, self.test_file)
            if set(tensors) != {"logits", "labels"}:
                raise ValueError(f"Expected logits and labels, got {', '.join(sorted(tensors))}.")
            logits, labels = tensors["logits"], tensors["labels"]
            shape = (tuple(logits.shape), tuple(labels.shape))
            classes = len(self.data()["classes"])
            if not len(labels) or shape != ((len(labels), classes), (len(labels),)):
                raise ValueError(f"Expected shapes (N, {classes}) and (N,), got {shape}.")
            if not logits.is_floating_point() or labels.dtype != torch.int64:
                raise ValueError(
                    f"Expected floating-point logits and int64 labels, got {logits.dtype} and "
                    f"{labels.dtype}."
                )
            if labels.min() < 0 or labels.max() >= classes:
                raise ValueError(f"Expected labels from 0 to {classes - 1}.")
        except ValueError as error:
            raise ValueError(
                f"Expected {self.test_file} as a run writes it: {error} {what_to_delete(self.path)}"
            ) from error
        return logits, labels

    def finish(self, result: dict[str, Any]) -> None:
        """Write the checksums of what is there, and last the result."""
        paths = [
            self.settings_file,
            self.data_file,
            self.teacher_file,
            self.environment_file,
            self.metrics_file,
            self.test_file,
            self.weights_file(),
            *map(self.weights_file, self.settings().save_epochs),
        ]
        content = files.to_json(result)
        write_checksums(self.path, paths, {self.result_file: content})
        files.write_bytes(self.result_file, content)

    def _read(
        self,
        file: Path,
        check: Callable[[Any], Any],
        parse: Callable[[bytes, Path], Any] = files.parse_json,
        *,
        alike: bool = False,
    ) -> Any:
        """Read a file of the run; `ValueError` naming it, and what to delete, if it is damaged.

        Of a file that is `alike` in thousands of runs the same object is returned.
        """
        content = read_verified(self.path, file)
        if alike:
            with contextlib.suppress(ValueError, RecursionError):  # said below, with the file
                return _checked(check, content)
        try:
            found = parse(content, file)
        except ValueError as error:
            raise ValueError(f"{error} {what_to_delete(self.path)}") from error
        try:
            return check(found)
        except ValueError as error:
            raise ValueError(
                f"Expected {file} as a run writes it: {error} {what_to_delete(self.path)}"
            ) from error

    def load_model(self, epoch: int | None = None) -> nn.Module:
        """Build the network and load its weights; nothing in the file is executed.

        Args:
            epoch: the snapshot kept after this epoch; None: the final weights.

        Raises:
            FileNotFoundError: if the run has no such weights.
        """
        settings = self.settings()
        weights = self.weights_file(epoch)
        if not weights.is_file():
            kept = ", ".join(str(e) for e in settings.save_epochs) or "none"
            raise FileNotFoundError(
                f"Expected weights in {weights}, found none. Is the run finished? "
                f"Snapshots it keeps: {kept}."
            )
        data = self.data()
        verify(self.path, weights)
        model = create_model(
            settings.student, num_classes=len(data["classes"]), in_channels=data["channels"]
        )
        load_weights(model, weights)
        return model


@lru_cache(maxsize=64)
def _checked(check: Callable[[Any], Any], content: bytes) -> Any:
    return check(json.loads(content.decode()))


def _checked_environment(found: Any) -> Any:
    return typed(Environment, found, "environment")


def _with_teacher(settings: RunSettings, change: Callable[[str], str]) -> RunSettings:
    """The settings with the path of the teacher's run, or of its weights, changed."""
    teacher = settings.teacher
    if teacher is None:
        return settings
    if teacher.weights is None:
        teacher = dataclasses.replace(teacher, source=change(teacher.source))
    else:
        teacher = dataclasses.replace(teacher, weights=change(teacher.weights))
    return dataclasses.replace(settings, teacher=teacher)


def describe_data(data: ImageData) -> dict[str, Any]:
    """Return what a network must agree with its data about."""
    return {
        "name": data.name,
        "classes": list(data.classes),
        "channels": data.channels,
        "image_size": data.image_size,
        "mean": list(data.mean),
        "std": list(data.std),
        "fingerprint": data.fingerprint,
    }


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    differing = []
    for name in old:
        if isinstance(old[name], dict) and isinstance(new[name], dict):
            differing += _differences(old[name], new[name], f"{prefix}{name}.")
        elif old[name] != new[name]:
            differing.append(f"{prefix}{name} is {old[name]!r} there, {new[name]!r} here")
    return differing
