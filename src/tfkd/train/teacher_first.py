"""A teacher that is named as a network: trained first, as a run of its own beside its student's."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from tfkd.data import load_data
from tfkd.models.create import check_model_name, model_names
from tfkd.runs import Circumstances, MethodSettings, RunDirectory, RunSettings, RunTeacher
from tfkd.runs.overwriting import check_apart_from_images, check_free_or_of_a_run
from tfkd.train.continuation import check_settings
from tfkd.train.progress import Progress, Silent
from tfkd.train.run import train_run
from tfkd.train.student import check_student
from tfkd.train.teacher_cache import check_cached_classes


def with_teacher_first(path: Path | str, settings: RunSettings) -> RunSettings:
    """Return the settings of a run, of which a teacher that is a network lies beside it.

    Args:
        path: directory of the run.
        settings: whose teacher may be named `timm/NAME`, or as another network, in place of a run.

    Returns:
        The same, or with the directory of the run that is to be the teacher.

    Raises:
        ValueError: if timm does not know the network.
    """
    teacher = settings.teacher
    if not isinstance(teacher, RunTeacher) or Path(teacher.run).is_dir():
        return settings
    if teacher.run not in model_names() and not teacher.run.startswith("timm/"):
        return settings
    check_model_name(teacher.run, argument="teacher")
    beside = Path(path).absolute()
    place = Path(path).parent / f"{beside.name}-teacher"
    return replace(settings, teacher=replace(teacher, run=str(place)))


def train_teacher_first(
    path: Path | str,
    settings: RunSettings,
    circumstances: Circumstances,
    *,
    progress: Progress | None = None,
    overwrite: bool = False,
    other_data: bool = False,
) -> RunSettings:
    """Train the teacher of a run first, if it is named as a network, or go on with it.

    It has the recipe of its student, but for what is the student's alone: the file of weights that
    it starts from, and options of its network. It is trained with plain cross-entropy, from timm's
    weights if the student is, in the directory of the student with `-teacher` behind its name. A
    student that is finished needs it no more.

    Args:
        path: directory of the student's run.
        settings: of that run.
        circumstances: in which both are made.
        progress: told of every step and epoch.
        overwrite: train anew what was trained in the student's directory; a teacher of the same
            settings stays.
        other_data: go on though the data are not those that a run was begun with.

    Returns:
        The settings of the student's run, with the run that teaches.

    Raises:
        As `train_run`; what is wrong with the student is found before its teacher is trained.
    """
    taught = with_teacher_first(path, settings)
    if taught is settings or taught.teacher is None or settings.teacher is None:
        return settings
    assert isinstance(taught.teacher, RunTeacher)
    assert isinstance(settings.teacher, RunTeacher)
    student, name = RunDirectory(path), settings.teacher.run
    check_apart_from_images(student.path, settings.recipe.data, circumstances)
    if overwrite:
        check_free_or_of_a_run(student)
    else:
        check_settings(student, taught)
        if student.result() is not None:
            return taught
    data = load_data(settings.recipe.data, seed=settings.seed, root=circumstances.places)
    check_student(settings.recipe, data)
    settings.method.check(data.num_classes, several_labels=data.several_labels)
    check_cached_classes(settings.teacher, data)
    epoch = taught.teacher.epoch
    own = replace(circumstances, save_epochs=() if epoch is None else (epoch,))
    teacher = RunSettings(
        settings.recipe.for_student(name), method=MethodSettings(), seed=settings.seed
    )
    place, progress = RunDirectory(taught.teacher.run), progress or Silent()
    if place.result() is None:
        progress.remark(f"The teacher {name} is trained first, in {place.path}.")
    result = train_run(
        place.path,
        teacher,
        own,
        progress=progress,
        overwrite=overwrite and not _is_same(place, teacher),
        other_data=other_data,
    )
    if result.test is not None:
        progress.remark(
            f"The teacher {name} gets {100 * result.test.accuracy:.1f} % of the test images right; "
            "now it teaches."
        )
    elif result.multi_label is not None:
        progress.remark(f"The teacher {name} is trained; now it teaches.")
    return taught


def _is_same(run: RunDirectory, settings: RunSettings) -> bool:
    try:
        check_settings(run, settings)
    except ValueError:
        return False
    return True
