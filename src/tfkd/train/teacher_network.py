"""The network that teaches a run: loaded, held against the data, and known by its weights."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace
from torch import nn

from tfkd.data import ImageData, identify
from tfkd.data.file_contents import digest_of_file
from tfkd.data.identity import how_a_network_sees_them_differs
from tfkd.models import create_model
from tfkd.runs import RunDirectory, RunSettings, RunTeacher
from tfkd.runs.settings import TeacherSettings
from tfkd.train.renormalised import Renormalised
from tfkd.train.weights.classes import check_classes, classes_of, only_the_number, these
from tfkd.train.weights.file import weights_file, which_are_taken
from tfkd.train.weights.fit import load_whole
from tfkd.train.weights.start import start_file


def teacher_weights(teacher: TeacherSettings) -> Path:
    """Return the file of weights that teaches."""
    if isinstance(teacher, RunTeacher):
        return RunDirectory(teacher.run).weights_file(teacher.epoch)
    return weights_file(teacher.weights)


def load_teacher(
    settings: TeacherSettings, data: ImageData, *, other_data: bool = False
) -> nn.Module:
    """Load the network that teaches, and check that it fits the data.

    A run whose images are normalised otherwise is given the student's as its own.

    Args:
        settings: of the teacher.
        data: of the student.
        other_data: let it have been trained on data with another test split, of which it may have
            seen what the student is tested on.

    Raises:
        FileNotFoundError: if there is no such run or file.
        ValueError: if its classes, their order, or how it sees images differ from the data's.
    """
    if not isinstance(settings, RunTeacher):
        model = create_model(
            settings.model,
            num_classes=data.num_classes,
            in_channels=data.channels,
            image_size=data.image_size,
        )
        file = weights_file(settings.weights)
        load_whole(model, file, name=settings.model)
        check_classes(file, data.classes, name=settings.model)
        return model
    run = RunDirectory(settings.run)
    model = run.load_model(settings.epoch)
    ours, theirs = identify(data), run.data()
    normalised = theirs
    if ours.channels == theirs.channels:
        normalised = replace(theirs, mean=ours.mean, std=ours.std)
    if run.settings().recipe.data.several_labels != data.several_labels:
        of = "several labels" if data.several_labels else "one label"
        raise ValueError(
            f"Expected a `teacher` that was trained with {of} an image, as its student, got "
            f"another in {run.path}."
        )
    differing = how_a_network_sees_them_differs(ours, normalised)
    if differing is not None:
        raise ValueError(f"Expected a `teacher` with the student's {differing} in {run.path}.")
    if ours.digests["test"] != theirs.digests["test"] and not other_data:
        raise ValueError(
            f"Expected a `teacher` of data with the same test split, got others in {run.path}: it "
            "may have been trained on what the student is tested on. To go on all the same: "
            "--other-data."
        )
    if (ours.mean, ours.std) != (theirs.mean, theirs.std):
        return Renormalised(model, given=ours, own=theirs).eval()
    return model


def remark_on_classes(settings: TeacherSettings, data: ImageData) -> str | None:
    """Return what has to be said of a teacher's classes, and which of several weights teach.

    Args:
        settings: of a teacher that fits the data.
        data: of the student.

    Returns:
        Sentences; None where the classes are known and the weights are the only ones.
    """
    if isinstance(settings, RunTeacher):
        return None
    file = weights_file(settings.weights)
    said = [which_are_taken(file)]
    if classes_of(file, number=data.num_classes) is None:
        said.append(
            f"{only_the_number(file, data.classes)}: it teaches as if it knew "
            f"{these(data.classes)}, in this order."
        )
    return " ".join(sentence for sentence in said if sentence) or None


def check_apart(run: RunDirectory, settings: RunSettings) -> None:
    """Check that a run is not to be written over a network that it takes from elsewhere.

    Raises:
        ValueError: naming the file of the teacher, or of what the student starts from.
    """
    taken = {"weights": start_file(settings)}
    if settings.teacher is not None:
        taken["teacher"] = teacher_weights(settings.teacher)
    folders = (run.path.resolve(), run.snapshots_folder.resolve())
    for name, file in taken.items():
        if file is not None and file.resolve().parent in folders:
            relation = "it teaches" if name == "teacher" else "starts from it"
            raise ValueError(
                f"Expected a `{name}` in another directory than the run that {relation}, "
                f"{run.path}, got {file}."
            )


def digest_of_teacher(settings: RunSettings) -> str | None:
    """Return the SHA-256 of the file of weights that teaches; None if there is none."""
    if settings.teacher is None or not (weights := teacher_weights(settings.teacher)).is_file():
        return None
    return digest_of_file(weights)


def check_teacher(run: RunDirectory, settings: RunSettings) -> None:
    """Check that a run was not begun with other weights of its teacher.

    Args:
        run: that may be begun, or finished.
        settings: of the run.

    Raises:
        ValueError: if the run was taught by others, naming the file.
    """
    if settings.teacher is None or not run.is_begun:
        return
    here, there = digest_of_teacher(settings), run.taught_by()
    if here is not None and there not in (here, None):
        raise ValueError(
            f"Expected the weights that taught the run in {run.path}, of SHA-256 {there:.64}, in "
            f"{teacher_weights(settings.teacher)}, got {here}. Restore that file, or take another "
            "directory."
        )
