"""The command that chooses settings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tfkd.cli.interrupt import loading
from tfkd.cli.runs import check_models
from tfkd.cli.studies import data_name
from tfkd.runs.written import Written

if TYPE_CHECKING:
    from tfkd.runs import Circumstances
    from tfkd.tune import Tuned, Tuning
    from tfkd.tune.progress import TuningProgress


def tune(
    written: Written,
    *,
    out: Path | None = None,
    teacher: str | None = None,
    methods: tuple[str, ...] = (),
    chosen: Path | None = None,
    trials: int = 20,
    seeds: int = 2,
    objective: Literal["calibrated_nll", "nll", "accuracy", "brier", "ece", "aurc"] = (
        "calibrated_nll"
    ),
    learning_rates: str | None = None,
    weight_decays: str | None = None,
    prune: bool = True,
    search_seed: int = 0,
    teacher_cache: str = "none",
    teacher_chosen: Path | None = None,
    tune_teacher: bool = False,
    jobs: int | None = None,
    executor: Literal["local", "ray"] = "local",
    dry_run: bool = False,
    other_data: bool = False,
) -> None:
    """Choose the settings of each method on validation data, with the same budget for each.

    Tried are the method's own numbers, as far as they have a range, together with learning rate and
    weight decay; the first trial has the defaults. Cross-entropy is always among the methods. The
    runs have seeds from 1000, which no comparison has, and the test split is not looked at. What
    was chosen is in chosen.json of the directory, which tfkd compare --chosen takes.

    It may be stopped at any moment, and started several times at once on one directory: finished
    runs count, begun ones go on, nothing runs twice. More trials later, or other methods, go on
    from there.

    Args:
        written: options of a run.
        out: directory of the search. Default: runs/tune-DATA.
        teacher: name of the larger model, for methods that have one. Default: by data.
        methods: as of tfkd compare. Default: those of the Tf-KD paper; with --chosen those of the
            file.
        chosen: file of settings, as tfkd tune writes it, whose numbers stay as they are: of its
            entries, but for the teacher's and those of --methods, learning rate and weight decay
            alone are searched.
        trials: settings tried for each method, at least 1. Default: 20.
        seeds: runs of each setting, at least 1. Default: 2.
        objective: what is made small, or for accuracy large, on the validation split, in the mean
            over the seeds; calibrated_nll is the NLL after one temperature fitted there. Default:
            calibrated_nll.
        learning_rates: where the learning rate is searched, as LOW:HIGH. Default: from a tenth of
            the recipe's own to three times that.
        weight_decays: where the weight decay is searched, as LOW:HIGH. Default: from a tenth of the
            recipe's own to ten times that.
        prune: give no more seeds to a setting that is worse than half of the others with the
            first. Default: yes.
        search_seed: seed of what is drawn. Default: 0.
        teacher_cache: as of tfkd compare.
        teacher_chosen: file of settings with which the networks that teach are trained, once for
            each seed: its entries cross_entropy, for the student's own network, and teacher, for
            the larger one. Default: the recipe's own.
        tune_teacher: search learning rate and weight decay of the larger model too, trained with
            cross-entropy, as the entry teacher. It teaches nobody in this search.
        jobs: runs side by side. Default: 1 on a GPU, else one for each core, at most 4; with Ray
            one for each GPU, else for each core.
        executor: processes of this machine, or a Ray cluster with a common file system.
        dry_run: only say what would be searched, how many runs and epochs that has, and how long
            they would take here.
        other_data: go on though the data are not those that runs were begun with.
    """
    from tfkd.report.terminal.study_progress import show_study_progress

    with show_study_progress() as progress:
        with loading():
            from tfkd.runs.chosen import read_chosen
            from tfkd.runs.recipes import defaults
            from tfkd.runs.written import circumstances_of, make_recipe
            from tfkd.study.applicable import ALL, applicable
            from tfkd.study.comparison import COMPARED
            from tfkd.tune import Tuning
            from tfkd.tune.plan import entries_beside
            from tfkd.tune.ranges import parse_range

            if "measure_test" in written.get("circumstances", {}):
                _check_leaves_test_alone(circumstances_of(written))
            circumstances = circumstances_of(written)
            recipe, circumstances = make_recipe(written.get("recipe", {}), circumstances)
            teacher = teacher or defaults(recipe.data.name).teacher
            check_models(student=recipe.student, teacher=teacher)
            left_out: tuple[str, ...] = ()
            if methods == (ALL,):
                methods, left_out = applicable(recipe, teacher=teacher, teacher_cache=teacher_cache)
            kept = () if chosen is None else entries_beside(methods, read_chosen(chosen))
            ranges = {"learning_rates": learning_rates, "weight_decays": weight_decays}
            tuning = Tuning(
                recipe=recipe,
                teacher=teacher,
                methods=methods or (() if kept else COMPARED),
                chosen=kept,
                tune_teacher=tune_teacher,
                teacher_chosen=() if teacher_chosen is None else read_chosen(teacher_chosen),
                trials=trials,
                seeds=seeds,
                objective=objective,
                prune=prune,
                search_seed=search_seed,
                teacher_cache=teacher_cache,
                **{n: None if t is None else parse_range(n, t) for n, t in ranges.items()},
            )
        out = out or Path("runs") / f"tune-{data_name(recipe.data.name, circumstances)}"
        job = _Job(tuning, out, circumstances, jobs, executor, other_data, left_out)
        show_results = job.plan() if dry_run else job.run(progress)
    show_results()


def _check_leaves_test_alone(circumstances: Circumstances) -> None:
    if circumstances.measure_test:
        raise ValueError(
            "Expected `measure_test` no while settings are chosen, got yes: the test split is "
            "looked at when they are compared."
        )


@dataclass(frozen=True)
class _Job:
    """A search that is made, or only planned."""

    tuning: Tuning
    out: Path
    circumstances: Circumstances
    jobs: int | None
    executor: str
    other_data: bool
    remarks: tuple[str, ...]

    def run(self, progress: TuningProgress) -> Callable[[], None]:
        """Search; what is returned prints its table and says where everything is."""
        from tfkd.tune import tune as search

        for remark in self.remarks:
            progress.remark(remark)
        tuned = search(
            self.tuning,
            self.out,
            progress=progress,
            jobs=self.jobs,
            circumstances=self.circumstances,
            executor=self.executor,
            other_data=self.other_data,
        )
        return lambda: self._show(tuned)

    def _show(self, tuned: Tuned) -> None:
        from rich.console import Console

        from tfkd.advice.command import comparing_command
        from tfkd.report.terminal.tuned_table import print_tuned

        print_tuned(tuned, Console(markup=False, emoji=False))
        if not tuned.chosen:
            print(f"All trials: {self.out}/tune.jsonl")
            return
        print(f"All trials: {self.out}/tune.jsonl. What was chosen: {self.out}/chosen.json")
        tuning, chosen = self.tuning, f"{self.out}/chosen.json"
        print("To compare at these settings, with other seeds and on the test split:")
        print(f"  {comparing_command(tuning.recipe, self.circumstances, tuning.teacher, chosen)}")

    def plan(self) -> Callable[[], None]:
        """Measure what it would cost; what is returned prints that."""
        from tfkd.data import load_data
        from tfkd.report.terminal.rows import laid_out
        from tfkd.report.terminal.tuning import found_for_search
        from tfkd.runs.overwriting import check_apart_from_images
        from tfkd.study.execute import default_jobs
        from tfkd.tune.left import runs_left
        from tfkd.tune.plan import FIRST_SEED
        from tfkd.tune.progress import TuningBeginning
        from tfkd.tune.records import gone_on_with
        from tfkd.tune.run import check_validation
        from tfkd.tune.tuned import read_records

        tuning = gone_on_with(self.tuning, self.out)
        settings, data = tuning.recipe.data, {}
        check_apart_from_images(self.out, settings, self.circumstances)
        with suppress(FileNotFoundError):  # a search may be planned before its data are there
            places = self.circumstances.places
            data[settings] = load_data(settings, seed=FIRST_SEED, root=places)
        check_validation(tuning, data)
        jobs = default_jobs() if self.jobs is None else self.jobs
        left = runs_left(tuning, self.out, read_records(self.out))
        beginning = TuningBeginning(tuning, self.out, data, self.circumstances, jobs, left)
        notes = [("note", text) for text in self.remarks]
        lines = [*found_for_search(beginning)[0], *laid_out(notes)]
        return lambda: print("\n".join(lines))
