"""All that the page of a run is made of, read from its directory and from its images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tfkd.data import DataIdentity, ImageData
from tfkd.data.places import Places
from tfkd.report.pictures.answers import SECONDS, Answers, ask
from tfkd.report.pictures.data_at_hand import data_at_hand
from tfkd.runs import EpochRecord, RunDirectory
from tfkd.runs.contents import Environment, Failure, Result, StoredSettings
from tfkd.runs.files import read_json
from tfkd.train.teacher_network import check_teacher, load_teacher


@dataclass(frozen=True)
class RunOnPage:
    """A run, finished or not.

    Attributes:
        directory: of the run.
        stored: its settings.
        result: None if it is not finished.
        identity: which data it is of; None if it was never begun.
        environment: that it was made in; None if it was never begun.
        history: one entry for each epoch.
        failure: what ended it; None if nothing did.
        test: what its network says of the test images; None if it is not finished.
        data: its images; None if they are not at hand.
        why_no_data: a sentence; empty if they are.
        places: where they were looked for.
        seconds: for which a network is asked about images.
    """

    directory: RunDirectory
    stored: StoredSettings
    result: Result | None
    identity: DataIdentity | None
    environment: Environment | None
    history: list[EpochRecord]
    failure: Failure | None
    test: Answers | None
    data: ImageData | None
    why_no_data: str
    places: Places
    seconds: float = SECONDS

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return () if self.identity is None else self.identity.classes

    @cached_property
    def validation(self) -> Answers | None:
        """What its network says of the validation images; None if it cannot be asked."""
        if self.data is None or self.result is None or len(self.data.validation) == 0:
            return None
        return ask(
            self.directory.load_model(),
            self.data,
            self.data.validation,
            "validation",
            seconds=self.seconds,
        )

    @cached_property
    def taught(self) -> tuple[Answers | None, str]:
        """What its teacher says of the training images, or None and a sentence, if one taught."""
        if self.stored.teacher is None or self.data is None or self.result is None:
            return None, ""
        try:
            check_teacher(self.directory, self.stored)
            network = load_teacher(self.stored.teacher, self.data, other_data=True).eval()
        except (OSError, ValueError) as error:
            return None, f"The network that taught is not at hand: {' '.join(str(error).split())}"
        found = ask(network, self.data, self.data.train, "training", seconds=self.seconds)
        return found, ""


def read_run(
    directory: RunDirectory, *, data_root: str | None = None, seconds: float = SECONDS
) -> RunOnPage:
    """Read a run.

    Args:
        directory: of the run.
        data_root: where its images lie now; None: where it found them.
        seconds: for which a network is asked about images.

    Raises:
        FileNotFoundError: if it is no run.
        ValueError: if a file of it is damaged.
    """
    stored = directory.stored()
    result = directory.result()

    identity = directory.data() if directory.data_file.exists() else None
    data, why = None, "The images of this run are not known: it was never begun."
    if identity is not None:
        data, why = data_at_hand(stored, identity, data_root)
    test = _test(directory, data) if result is not None else None
    if result is not None:
        _check_result(directory, result, test)
    return RunOnPage(
        directory=directory,
        stored=stored,
        result=result,
        identity=identity,
        environment=directory.environment() if directory.environment_file.exists() else None,
        history=directory.history() if directory.metrics_file.exists() else [],
        failure=(
            read_json(directory.failure_file, Failure) if directory.failure_file.exists() else None
        ),
        test=test,
        data=data,
        why_no_data=why,
        places=Places.of(stored.circumstances.places).moved_to(data_root),
        seconds=seconds,
    )


def _test(directory: RunDirectory, data: ImageData | None) -> Answers | None:
    found = directory.test_logits()
    if found is None:
        return None
    logits, labels = found
    if not bool(logits.amax(dim=1).isfinite().all()):  # which hands NaN and infinity on
        raise ValueError(f"Expected finite logits in {directory.test_file}.")
    if data is None:
        return Answers("test", logits, labels)
    return Answers("test", logits, labels, data.test.official, data.test.indices)


def _check_result(directory: RunDirectory, result: Result, test: Answers | None) -> None:
    """Check that the result is one that a run can have, and that of its logits."""
    if result.test is None:
        return
    images, accuracy = result.samples.test, result.test.accuracy
    if images < 1 or not 0.0 <= accuracy <= 1.0:
        raise ValueError(
            f"Expected test images and an accuracy from 0 to 1 in {directory.result_file}, got "
            f"{images} and {accuracy}."
        )
    if test is not None and (len(test), int(test.right.sum())) != (
        images,
        round(accuracy * images),
    ):
        raise ValueError(
            f"Expected {directory.result_file} to be of the logits in {directory.test_file}, but "
            "their accuracy is another."
        )
