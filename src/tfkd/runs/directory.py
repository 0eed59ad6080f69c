"""The files of a run, and the network that they hold."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from msgspec.structs import replace
from torch import Tensor, nn

from tfkd._checks import check_integer
from tfkd.data import DataIdentity
from tfkd.metrics.multi_label import check_annotations
from tfkd.references import OwnPartError
from tfkd.runs import files
from tfkd.runs.checksums import (
    CHECKSUMS_FILE,
    RESULT_FILE,
    read_verified,
    verify,
    what_to_delete,
    write_checksums,
)
from tfkd.runs.circumstances import Circumstances
from tfkd.runs.contents import (
    Environment,
    EpochRecord,
    Result,
    StartedFrom,
    StoredSettings,
    TaughtBy,
)
from tfkd.runs.settings import RunSettings
from tfkd.runs.tensors import check_shapes, load_weights, parse_tensors

SNAPSHOT = re.compile(r"epoch-([1-9][0-9]*)\.(safetensors|json)")
"""The weights, and what a study keeps beside them: the metrics that it has measured."""

T = TypeVar("T")
S = TypeVar("S", bound=RunSettings)


class RunDirectory:
    """A directory that holds one run.

    settings.json            every setting; the files of others by their path from here
    data.json                classes, size and normalisation of the images, digests of the splits
    teacher.json             SHA-256 of the file of weights that teaches, if a network does
    start.json               SHA-256 of the file of weights that the student started from, if any
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

    Args:
        path: of the directory.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"RunDirectory({str(self.path)!r})"

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
    def start_file(self) -> Path:
        """Checksum of the weights that the student started from."""
        return self.path / "start.json"

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
        return self.path / RESULT_FILE

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
        return self.snapshots_folder / f"epoch-{epoch}.safetensors"

    @property
    def snapshots_folder(self) -> Path:
        """Weights that were kept on the way."""
        return self.path / "snapshots"

    @property
    def teacher_cache_folder(self) -> Path:
        """What the network said as a teacher."""
        return self.path / "teacher-cache"

    @property
    def tensorboard_folder(self) -> Path:
        """Event files of TensorBoard."""
        return self.path / "tensorboard"

    def files(self) -> tuple[Path, ...]:
        """Return what a run writes beside its settings and its folders, the result first."""
        return (
            self.result_file,
            self.checkpoint_file,
            self.metrics_file,
            self.path / CHECKSUMS_FILE,
            self.data_file,
            self.teacher_file,
            self.start_file,
            self.environment_file,
            self.failure_file,
            self.test_file,
            self.weights_file(),
        )

    @property
    def is_begun(self) -> bool:
        """Whether anything was trained here that could be lost."""
        return any(
            file.exists()
            for file in (
                self.checkpoint_file,
                self.metrics_file,
                self.result_file,
                self.weights_file(),
            )
        )

    def claim(
        self,
        settings: RunSettings,
        circumstances: Circumstances,
        data: DataIdentity,
        environment: Environment,
        *,
        teacher_digest: str | None = None,
        start_digest: str | None = None,
    ) -> None:
        """Write what a run is, over what was there.

        What killed writers left half-written is removed, so only who holds the run calls it, once
        it is checked that the run may go on here. Where the data lie is written as an absolute
        path.

        Args:
            settings: of the run.
            circumstances: in which it is made.
            data: that it is trained on.
            environment: that it is trained in.
            teacher_digest: SHA-256 of the file of weights that teaches.
            start_digest: SHA-256 of the file of weights that the student starts from.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / CHECKSUMS_FILE).unlink(missing_ok=True)  # of a run that was not quite finished
        names = "|".join(re.escape(file.name) for file in (self.settings_file, *self.files()))
        files.remove_leftovers(self.path, re.compile(names))
        if not self.snapshots_folder.is_symlink():
            files.remove_leftovers(self.snapshots_folder, SNAPSHOT)
        self.failure_file.unlink(missing_ok=True)
        stored = _moved(settings, lambda path: os.path.relpath(path, self.path))
        fields = {name: getattr(stored, name) for name in RunSettings.__struct_fields__}
        if circumstances.places is not None:
            circumstances = circumstances.with_places(circumstances.places.absolute())
        files.write_json(self.settings_file, StoredSettings(**fields, circumstances=circumstances))
        for file, digest, kind in (
            (self.teacher_file, teacher_digest, TaughtBy),
            (self.start_file, start_digest, StartedFrom),
        ):
            if digest is None:
                file.unlink(missing_ok=True)
            else:
                files.write_json(file, kind(digest))
        files.write_json(self.data_file, data)
        files.write_json(self.environment_file, environment)

    def clear_finished(self) -> None:
        """Remove the checkpoint of a finished run, if it was killed before it could do so."""
        with contextlib.suppress(OSError):  # in a directory that is only read
            self.checkpoint_file.unlink(missing_ok=True)

    def _kept(self) -> Iterator[tuple[Path, int]]:
        """Files of snapshots, and after which epoch each is."""
        for file in self.snapshots_folder.glob("epoch-*.safetensors"):
            match = SNAPSHOT.fullmatch(file.name)
            if match is not None:
                yield file, int(match[1])

    def stored(self) -> StoredSettings:
        """Read the settings with their circumstances; `FileNotFoundError` if this is no run."""
        if not self.settings_file.is_file():
            raise FileNotFoundError(f"Expected a run in {self.path}, found no settings.json there.")
        found = self._read(self.settings_file, StoredSettings)
        return _moved(found, lambda path: os.path.normpath(self.path / path))

    def settings(self) -> RunSettings:
        """Read what the run is; `FileNotFoundError` if this is none."""
        stored = self.stored()
        return RunSettings(stored.recipe, stored.method, stored.teacher, stored.seed)

    def result(self) -> Result | None:
        """Read the result; None if the run is not finished."""
        return self._read(self.result_file, Result) if self.result_file.exists() else None

    def data(self) -> DataIdentity:
        """Read which data the run is of."""
        return self._read(self.data_file, DataIdentity)

    def taught_by(self) -> str | None:
        """Read the SHA-256 of the weights that teach; None if no network does."""
        if not self.teacher_file.exists():
            return None
        return self._read(self.teacher_file, TaughtBy).sha256

    def started_from(self) -> str | None:
        """Read the SHA-256 of the weights that the student started from; None if it had none."""
        if not self.start_file.exists():
            return None
        return self._read(self.start_file, StartedFrom).sha256

    def environment(self) -> Environment:
        """Read what produced the run."""
        return self._read(self.environment_file, Environment)

    def history(self) -> list[EpochRecord]:
        """Read the records of the epochs that are written down."""
        content = self._content(self.metrics_file)
        return self._parsed(lambda: files.parse_json_lines(content, self.metrics_file, EpochRecord))

    def test_logits(self) -> tuple[Tensor, Tensor] | None:
        """Read logits `(N, K)` and labels `(N,)` of the test split; None if none are kept.

        Labels are `(N, K)` float32 where an image may have several.
        """
        if not self.test_file.is_file():
            return None
        content = read_verified(self.path, self.test_file)
        try:
            tensors = parse_tensors(content, self.test_file)
            if set(tensors) != {"logits", "labels"}:
                raise ValueError(f"Expected logits and labels, got {', '.join(sorted(tensors))}.")
            logits, labels = tensors["logits"], tensors["labels"]
            shape = (tuple(logits.shape), tuple(labels.shape))
            classes = len(self.data().classes)
            if self.stored().recipe.data.several_labels:
                check_annotations(logits, labels)
                return logits, labels
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

    def finish(self, result: Result) -> None:
        """Write the checksums of what is there, and last the result."""
        paths = [
            self.settings_file,
            self.data_file,
            self.teacher_file,
            self.start_file,
            self.environment_file,
            self.metrics_file,
            self.test_file,
            self.weights_file(),
            *sorted(file for file, _ in self._kept()),
        ]
        content = files.to_json(result)
        write_checksums(self.path, paths, {self.result_file: content})
        files.write_bytes(self.result_file, content)

    def _read(self, file: Path, kind: type[T]) -> T:
        """Read a file of the run; `ValueError` naming it, and what to delete, if it is damaged."""
        content = self._content(file)
        return self._parsed(lambda: files.parse_json(content, file, kind))

    def _content(self, file: Path) -> bytes:
        try:
            return self._parsed(lambda: read_verified(self.path, file))
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"Expected {file}, which every run has, found no such file. "
                f"{what_to_delete(self.path)}"
            ) from error

    def _parsed(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except OwnPartError:
            raise
        except ValueError as error:
            ending = what_to_delete(self.path)
            if str(error).endswith(ending):
                raise
            raise ValueError(f"{error} {ending}") from error

    def load_model(self, epoch: int | None = None) -> nn.Module:
        """Build the network and load its weights, in eval mode; nothing in the file is executed.

        Args:
            epoch: the snapshot kept after this epoch; None: the final weights.

        Raises:
            TypeError: if `epoch` is no int.
            FileNotFoundError: if the run has no such weights.
        """
        if epoch is not None:
            check_integer("epoch", epoch, minimum=1)
        settings = self.settings()
        weights = self.weights_file(epoch)
        if not weights.is_file():
            raise FileNotFoundError(
                f"Expected weights in {weights}, found none. {self._weights_there()}"
            )
        data = self.data()
        verify(self.path, weights)
        # On no device first: a name that asks for more memory than there is fails by its shapes.
        create = partial(
            settings.recipe.build_student,
            num_classes=len(data.classes),
            in_channels=data.channels,
            image_size=data.image_size,
        )
        with torch.device("meta"):
            check_shapes(create(), weights)
        model = create()
        load_weights(model, weights)
        return model.eval()

    def _weights_there(self) -> str:
        """Which weights there are to be asked for, in words."""
        kept = ", ".join(map(str, self.snapshots()))
        snapshots = f"Snapshots it keeps: {kept or 'none'}"
        if self.weights_file().is_file():
            return f"{snapshots}; the final weights need no epoch."
        if self.result_file.exists():
            return f"The final weights of the run are gone. {snapshots}."
        taken = ", of which `epoch` takes one" if kept else ""
        return f"The run is not finished. {snapshots}{taken}."

    def snapshots(self) -> list[int]:
        """Return the epochs after which weights are kept."""
        return sorted(epoch for _, epoch in self._kept())


def _moved(settings: S, change: Callable[[str], str]) -> S:
    """The settings with files of others at another place, so that a study may move as a whole."""
    recipe, teacher = settings.recipe, settings.teacher
    if recipe.weights is not None:
        recipe = replace(recipe, weights=change(recipe.weights))
    return replace(
        settings, recipe=recipe, teacher=None if teacher is None else teacher.moved(change)
    )
