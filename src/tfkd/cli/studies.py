"""Commands on many runs: run a study of the paper, say how far it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tfkd.cli.interrupt import loading
from tfkd.cli.report import say_left_out
from tfkd.cli.runs import check_models
from tfkd.runs.written import Written

if TYPE_CHECKING:
    from rich.console import Console

    from tfkd.runs import Circumstances
    from tfkd.study.plan import Study
    from tfkd.study.progress import StudyProgress

OTHER_SEEDS = 3


def data_name(data: str, circumstances: Circumstances) -> str:
    """Return what directories of runs on these data are called."""
    from tfkd.data.settings import FOLDER

    places = circumstances.places
    return places.name if data == FOLDER and places is not None else data


def seeds_of(seeds: int | None, folds: int | None, usual: int | None = None) -> int:
    """Return how many seeds there are; with folds each seed tests one of them."""
    if seeds is None:
        return folds or usual or OTHER_SEEDS
    if folds is not None and seeds % folds:
        raise ValueError(
            f"Expected `seeds` to be a multiple of the {folds} `folds`, each of which one seed "
            f"tests, got {seeds}."
        )
    return seeds


@dataclass(frozen=True)
class Job:
    """A study that is run, or only planned."""

    study: Study
    out: Path
    circumstances: Circumstances
    jobs: int | None
    executor: str = "local"
    other_data: bool = False
    remarks: tuple[str, ...] = ()

    def run(self, progress: StudyProgress) -> Callable[[], None]:
        """Run it; what is returned prints its table and says where everything is."""
        from tfkd.study.joined import joined
        from tfkd.study.run import run_study
        from tfkd.train.warm_up_remark import remark_on_warm_up

        study, remarks = joined(self.study, self.out)
        arms = self.study.arms
        warm_ups = [remark_on_warm_up(arm.method, arm.recipe.epochs) for arm in arms]
        for remark in (*self.remarks, *dict.fromkeys(warm_ups), *remarks):
            if remark is not None:
                progress.remark(remark)
        records = run_study(
            study,
            self.out,
            jobs=self.jobs,
            circumstances=self.circumstances,
            progress=progress,
            executor=self.executor,
            other_data=self.other_data,
        )

        def show() -> None:
            from tfkd.report.terminal.study_table import print_beside, print_rows, print_together
            from tfkd.study.generations import generations_together
            from tfkd.study.guessing import guessing_of
            from tfkd.study.per_image import read_per_image
            from tfkd.study.summary import summarise_study

            console = _console()
            guessing = guessing_of(records, self.out)
            rows = summarise_study(study, records, guessing)
            print_rows(study, rows, console, read_per_image(records, self.out).compared(study))
            print_beside(study, records, console)
            print_together(generations_together(study, self.out, records), console)
            left_out = len(study.runs(self.out)) - len(records)
            if left_out:
                runs = "1 finished run is" if left_out == 1 else f"{left_out} finished runs are"
                print(f"{runs} left out, for a reason that tfkd report {self.out} names.")
            print(f"All numbers: {self.out / study.name}.jsonl and .csv")
            print(f"A page with pictures: tfkd report {self.out}")

        return show

    def plan(self) -> Callable[[], None]:
        """Measure what it would cost; what is returned prints that."""
        from tfkd.data import load_data
        from tfkd.report.terminal.planned import dry_run_of_study
        from tfkd.runs.overwriting import check_apart_from_images
        from tfkd.study.execute import default_jobs
        from tfkd.study.joined import joined
        from tfkd.study.progress import StudyBeginning
        from tfkd.study.run import check_looks_at_test

        check_looks_at_test(self.circumstances)
        study, remarks = joined(self.study, self.out)
        settings, data = study.arms[0].recipe.data, {}
        check_apart_from_images(self.out, settings, self.circumstances)
        with suppress(FileNotFoundError):  # a study may be planned before its data are there
            data[settings] = load_data(settings, root=self.circumstances.places)
        jobs = default_jobs() if self.jobs is None else self.jobs
        beginning = StudyBeginning(study, self.out, data, self.circumstances, jobs)
        lines = dry_run_of_study(beginning, [*self.remarks, *remarks])
        return lambda: print("\n".join(lines))


def _console() -> Console:
    """The terminal; text in square brackets is text."""
    from rich.console import Console

    return Console(markup=False, emoji=False)


def list_studies() -> None:
    """List the studies, and what each of them asks."""
    from tfkd.paper.catalogue import catalogue
    from tfkd.report.terminal.study_lines import print_studies

    print_studies(catalogue(), _console())


def run_named_study(
    name: str,
    written: Written,
    *,
    data: str | None = None,
    dialect: Literal["released", "paper", "tfkd"] | None = None,
    teacher: str | None = None,
    chosen: Path | None = None,
    alpha: float | None = None,
    temperature: float | None = None,
    scales: tuple[float, ...] = (),
    alphas: tuple[float, ...] = (),
    confidence: float | None = None,
    teacher_cache: str = "none",
    seeds: int | None = None,
    controls: tuple[str, ...] = (),
    contrasts: tuple[str, ...] = (),
    worthwhile: float | None = None,
    out: Path | None = None,
    jobs: int | None = None,
    executor: Literal["local", "ray"] = "local",
    dry_run: bool = False,
    other_data: bool = False,
) -> None:
    """Run a study of the paper, or go on with it.

    It may be stopped at any moment, and started several times at once on one directory: finished
    runs count, begun ones go on, nothing runs twice. Studies of one directory share their runs.

    Args:
        name: table-1 to table-11, figure-2, all-methods, scale, strength or confidence; `tfkd study
            list` says what they ask.
        written: options of a run.
        data: fashion-mnist, digits or other data, for the study in small, with one student and one
            larger teacher. Default: the data and networks of the paper; for all-methods, scale,
            strength and confidence fashion-mnist.
        dialect: the loss and recipe of the paper's released code, or as the paper prints them;
            tfkd, for a study in small: this package's defaults. Default: released; with --chosen
            tfkd.
        teacher: the larger network of a study in small. Default: by data.
        chosen: file of settings that were chosen before, as tfkd tune writes it, for a study in
            small: numbers, learning rate and weight decay by method, and by teacher for the larger
            network; of the study scale by scale-1, scale-0.406 and so on, without numbers.
        alpha: of the study scale, weight of the teacher term. Default: 0.5.
        temperature: of the study scale, above 0. Default: 4.
        scales: of the study scale, factors on the loss, with commas between them. Default: 1,
            0.406 and 0.0595, those of the released code with 100 classes.
        alphas: of the study strength, weights of the teacher term, with commas between them.
            Default: 0.1, 0.3, 0.5 and 0.7.
        confidence: of the study confidence, which needs it: accuracy of cross-entropy on validation
            data, a fraction.
        teacher_cache: store what networks that teach say about every image, and ask them no more:
            float32 (exact), float16, top-10 (or another number of classes), or sampled-12 (or
            another number of draws); none: ask them at every step. With augmentation set --views
            too.
        seeds: number of seeds, at least 1. Default: 3; with --folds as many, one for each.
        controls: some of scaled, uninformed, smoothed, balanced, undone, double, with commas
            between them, or none: cross-entropy times the method's loss scale; the same loss,
            taught by one who knows nothing; label smoothing at its equivalent epsilon; scaled with
            weight decay times the scale; balanced with the learning rate divided by it, which must
            give plain cross-entropy; twice the epochs. Default: scaled, uninformed and smoothed;
            none for scale, strength and confidence, which have theirs inside.
        contrasts: what is claimed, and tested as one family: pairs of arms as `tfkd study status`
            lists them, or of methods where one arm alone is meant, as
            tf_kd_reg:label_smoothing, with commas between them. Default: the study's own.
        worthwhile: smallest difference in accuracy worth having, in points, above 0. Default: the
            study's own, as a rule 0.2.
        out: directory of the study. Default: runs/DATA-DIALECT, where studies share their runs.
        jobs: runs side by side. Default: 1 on a GPU, else one for each core, at most 4; with Ray
            one for each GPU, else for each core.
        executor: processes of this machine, or a Ray cluster with a common file system.
        dry_run: only say how many runs and epochs it has, how long they would take here, and what
            so many seeds can show.
        other_data: go on though the data are not those that runs were begun with.
    """
    from tfkd.report.terminal.study_progress import show_study_progress

    with show_study_progress() as progress:
        with loading():
            import tfkd.report.terminal.planned  # noqa: F401
            from tfkd.paper.catalogue import OWN, Numbers, default_controls, make_study
            from tfkd.runs.chosen import read_chosen
            from tfkd.runs.written import circumstances_of
            from tfkd.study.contrasts import with_contrasts
            from tfkd.study.controls_left_out import say_what_is_left_out

            recipe = written.get("recipe", {})
            controls = controls or default_controls(name)
            controls = () if controls == ("none",) else controls
            check_models(student=recipe.get("student"), teacher=teacher)
            study, circumstances = make_study(
                name,
                data=data,
                dialect=dialect,
                teacher=teacher,
                seeds=seeds_of(seeds, recipe.get("data", {}).get("folds")),
                controls=controls,
                recipe=recipe,
                circumstances=circumstances_of(written),
                teacher_cache=teacher_cache,
                chosen=() if chosen is None else read_chosen(chosen),
                numbers=Numbers(
                    alpha=alpha,
                    temperature=temperature,
                    scales=scales,
                    alphas=alphas,
                    confidence=confidence,
                ),
            )
            study = with_contrasts(study, contrasts, worthwhile)
        ending = "-chosen" if chosen else "" if name in OWN else f"-{dialect or 'released'}"
        data_called = data_name(study.arms[0].recipe.data.name, circumstances)
        out = out or Path("runs") / f"{data_called}{ending}"
        remarks = tuple(say_what_is_left_out(study, controls))
        job = Job(study, out, circumstances, jobs, executor, other_data, remarks)
        show_results = job.plan() if dry_run else job.run(progress)
    show_results()


def status_of_studies(directory: Path) -> int:
    """Say how far the studies of a directory are.

    Args:
        directory: of studies, as `tfkd study run` and `tfkd compare` make it.
    """
    from tfkd.report.terminal.study_lines import print_status
    from tfkd.study.directory import read_studies
    from tfkd.study.status import study_status

    damaged = False
    for study in read_studies(directory):
        arms = study_status(study, directory)
        left_out = [sentence for arm in arms for sentence in arm.left_out]
        say_left_out(study.name, left_out)
        damaged = damaged or bool(left_out)
        print_status(study, arms, _console())
    return 1 if damaged else 0
