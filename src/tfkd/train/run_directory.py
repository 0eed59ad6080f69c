"""The files of a run, and the network that they hold."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tfkd.data import ImageData
from tfkd.models import create_model
from tfkd.train import files
from tfkd.train.settings import RunSettings, TeacherSettings


@dataclass(frozen=True)
class RunDirectory:
    """A directory that holds one run.

    settings.json            every setting; the teacher's files by their path from here
    data.json                classes, channels, size and normalisation of the images
    environment.json         versions, commit, machine, determinism
    metrics.jsonl            one line an epoch
    result.json              written last: the run is finished
    weights.safetensors      after the last epoch
    test.safetensors         logits and labels of the test split
    snapshots/epoch-N.safetensors
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

    def claim(self, settings: RunSettings) -> None:
        """Write the settings, or check that those there are the same."""
        self.check(settings)
        self.path.mkdir(parents=True, exist_ok=True)
        if not self.settings_file.exists():
            files.write_json(self.settings_file, self._stored(settings).to_dict())

    def clear_leftovers(self) -> None:
        """Remove what a killed or failed process left behind; whoever calls it holds the lock."""
        self.failure_file.unlink(missing_ok=True)
        for folder in (self.path, self.weights_file(1).parent):
            for name in ("*.json", "*.jsonl", "*.safetensors", "*.pt"):
                for unfinished in folder.glob(f".{name}.*"):
                    unfinished.unlink(missing_ok=True)

    def clear_finished(self) -> None:
        """Remove the checkpoint of a finished run, if it was killed before it could do so."""
        with contextlib.suppress(OSError):  # in a directory that is only read
            self.checkpoint_file.unlink(missing_ok=True)

    def settings(self) -> RunSettings:
        """Read the settings; `FileNotFoundError` if this is no run."""
        if not self.settings_file.is_file():
            raise FileNotFoundError(f"Expected a run in {self.path}, found no settings.json there.")
        stored = RunSettings.from_dict(files.read_json(self.settings_file))
        return _with_teacher(stored, lambda path: os.path.normpath(self.path / path))

    def _stored(self, settings: RunSettings) -> RunSettings:
        """The settings as they are stored, so that a study may move with all its runs."""
        return _with_teacher(settings, lambda path: os.path.relpath(path, self.path))

    def result(self) -> dict[str, Any] | None:
        """Read the result; None if the run is not finished."""
        if not self.result_file.is_file():
            return None
        result: dict[str, Any] = files.read_json(self.result_file)
        return result

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
        data = files.read_json(self.data_file)
        model = create_model(
            settings.student, num_classes=len(data["classes"]), in_channels=data["channels"]
        )
        load_weights(model, weights)
        return model


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


def load_teacher(settings: TeacherSettings, data: ImageData) -> nn.Module:
    """Load the network that teaches, and check that it fits the data.

    Raises:
        FileNotFoundError: if there is no such run or file.
        ValueError: if its classes, their order, or its images differ from the data's.
    """
    if settings.weights is not None:
        model = create_model(
            settings.source, num_classes=data.num_classes, in_channels=data.channels
        )
        load_weights(model, Path(settings.weights))
        return model
    run = RunDirectory(Path(settings.source))
    model = run.load_model(settings.epoch)
    theirs, ours = files.read_json(run.data_file), describe_data(data)
    for name in ("classes", "channels", "image_size", "mean", "std"):
        if theirs[name] != ours[name]:
            raise ValueError(
                f"Expected a `teacher` with the student's {name}, {_short(ours[name])}, "
                f"got {_short(theirs[name])} in {run.path}."
            )
    return model


def load_weights(model: nn.Module, file: Path) -> None:
    """Load a safetensors file into a network; `ValueError` naming the file if it does not fit."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not file.is_file():
        raise FileNotFoundError(f"Expected weights in {file}, found no such file.")
    try:
        tensors = load_file(file)
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"Expected a safetensors file in {file}: {error}.") from error
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"The weights in {file} do not fit the model: {error}") from error


def save_tensors(file: Path, tensors: dict[str, Tensor]) -> None:
    """Write a safetensors file, whole or not at all."""
    from safetensors.torch import save

    file.parent.mkdir(parents=True, exist_ok=True)
    contiguous = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    files.write_bytes(file, save(contiguous))


def read_checkpoint(file: Path) -> dict[str, Any]:
    """Read what resuming needs; tensors and plain values alone, nothing is executed."""
    try:
        checkpoint: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"Expected a checkpoint in {file}: {error}. Delete it to start the run anew."
        ) from error
    return checkpoint


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    differing = []
    for name in old:
        if isinstance(old[name], dict) and isinstance(new[name], dict):
            differing += _differences(old[name], new[name], f"{prefix}{name}.")
        elif old[name] != new[name]:
            differing.append(f"{prefix}{name} is {old[name]!r} there, {new[name]!r} here")
    return differing


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
