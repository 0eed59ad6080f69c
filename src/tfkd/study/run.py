"""Run a study, and keep what came of it beside its runs."""

from __future__ import annotations

from pathlib import Path

from tfkd.data import DataIdentity, ImageData, Source, identify, load_source, split_source
from tfkd.data.settings import DataSettings
from tfkd.runs import Circumstances, RunDirectory
from tfkd.runs.overwriting import check_apart_from_images
from tfkd.study.directory import run_directory, write_study
from tfkd.study.execute import default_jobs, execute
from tfkd.study.plan import PlannedRun, Study
from tfkd.study.progress import StudyBeginning, StudyProgress
from tfkd.study.records import Record, collect, write_records
from tfkd.train.continuation import check_data, check_settings, check_snapshots
from tfkd.train.event_writer import check_event_writer
from tfkd.train.memory import check_memory, check_remembered
from tfkd.train.smallest_share import check_batch_size
from tfkd.train.student import check_student, what_a_student_is
from tfkd.train.teacher_cache import check_cached_classes
from tfkd.train.teacher_network import check_teacher
from tfkd.train.weights.start import check_start


def run_study(
    study: Study,
    root: Path,
    *,
    progress: StudyProgress,
    jobs: int | None = None,
    circumstances: Circumstances | None = None,
    executor: str = "local",
    other_data: bool = False,
) -> list[Record]:
    """Train every run of a study that is not finished, and write the records.

    The plan is `NAME.study.json` in `root`; `NAME.jsonl` and `NAME.csv` appear there with the runs
    that are finished, also when others fail. Studies of one directory share the runs that they
    have in common.

    Args:
        study: the plan.
        root: the study's directory.
        progress: told of every epoch and run.
        jobs: runs side by side; None: as many as there is room for.
        circumstances: in which every run is made.
        executor: `local` or `ray`.
        other_data: go on though data are not those that runs were begun with.

    Returns:
        One record for each run.

    Raises:
        FileNotFoundError: if the data set is not there.
        ValueError: for settings or data that do not fit, or a directory with runs of others; before
            anything is written or trained.
        RunsFailedError: if runs failed; the others are finished.
    """
    circumstances = circumstances or Circumstances()
    check_looks_at_test(circumstances)
    if circumstances.tensorboard:
        check_event_writer()
    runs = study.runs(root)
    progress.doing("reading the data")
    data = check_runs(study, runs, root, circumstances, other_data=other_data)
    side_by_side = default_jobs() if jobs is None else jobs
    progress.found(StudyBeginning(study, root, data, circumstances, side_by_side))
    write_study(study, root)
    try:
        execute(
            runs,
            root,
            jobs=jobs,
            circumstances=circumstances,
            progress=progress,
            executor=executor,
            other_data=other_data,
        )
    finally:
        records, _ = collect(study, root)
        write_records(study, records, root)
    return records


def check_looks_at_test(circumstances: Circumstances) -> None:
    """Raise `ValueError` where runs would leave alone what a study compares them by."""
    if not circumstances.measure_test:
        raise ValueError(
            "Expected `measure_test` yes in a study, which compares by the test split, got no. To "
            "choose settings without it, there is tfkd tune."
        )


def check_runs(
    study: Study,
    runs: list[PlannedRun],
    root: Path,
    circumstances: Circumstances,
    *,
    other_data: bool = False,
) -> dict[DataSettings, ImageData]:
    """Check all that may be wrong with runs, with the true data and networks, and write nothing.

    Args:
        study: the plan.
        runs: of the plan.
        root: the study's directory.
        circumstances: in which every run is made.
        other_data: let runs go on though data are not those that they were begun with.

    Returns:
        The data by their settings, as the first seed splits them.

    Raises:
        FileNotFoundError: if a data set is not there.
        ValueError: if a run does not fit its data, its network, or what its directory holds; or if
            the directory is that of one run.
    """
    if RunDirectory(root).settings_file.is_file():
        raise ValueError(
            f"Expected a directory for many runs, got {root}, which is that of one run: take "
            "another."
        )
    sources: dict[DataSettings, Source] = {}
    splits: dict[tuple[DataSettings, int], tuple[ImageData, DataIdentity]] = {}
    for run in runs:
        settings, seed = run.settings.recipe.data, run.settings.seed
        check_apart_from_images(root, settings, circumstances)
        if settings not in sources:
            sources[settings] = load_source(settings, root=circumstances.places)
        if (settings, seed) not in splits:
            data = split_source(sources[settings], settings, seed=seed, root=circumstances.places)
            splits[settings, seed] = data, identify(data)
        directory = run_directory(root, run.name)
        check_settings(directory, run.settings)
        check_cached_classes(run.settings.teacher, splits[settings, seed][0])
        check_data(directory, splits[settings, seed][1], other_data=other_data)
        if directory.result() is not None:
            check_teacher(directory, run.settings)
            check_start(directory, run.settings)
            kept = Circumstances(save_epochs=run.save_epochs)
            check_snapshots(directory, kept)
    students: set[object] = set()
    first = runs[0].settings.seed
    for arm in study.arms:
        data, _ = splits[arm.recipe.data, first]
        arm.method.check(data.num_classes)
        check_memory(arm.recipe, data)
        check_remembered(arm.method, data)
        if (network := what_a_student_is(arm.recipe)) not in students:
            students.add(network)
            check_student(arm.recipe, data)
        check_batch_size(arm.recipe, data)
    return {settings: data for (settings, seed), (data, _) in splits.items() if seed == first}
