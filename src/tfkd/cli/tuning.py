"""The command that chooses settings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tfkd.cli.interrupt import loading
from tfkd.cli.runs import check_models
from tfkd.runs.written import Written


def tune(
    written: Written,
    *,
    out: Path | None = None,
    teacher: str | None = None,
    methods: tuple[str, ...] = (),
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
    jobs: int | None = None,
    executor: Literal["local", "ray"] = "local",
    dry_run: bool = False,
    other_data: bool = False,
) -> None:
    """Choose the settings of each method on validation data, with the same budget for each.

    Tried are the method's own numbers, where tfkd methods NAME gives them a range, together with
    learning rate and weight decay; the first trial has the defaults. Cross-entropy is always among
    the methods. Runs have seeds from 1000, which no comparison has, and the test split is not
    looked at. What was chosen is in chosen.json of the directory.

    It may be stopped at any moment, and started several times at once on one directory: finished
    runs count, begun ones go on, nothing runs twice. More trials later, or other methods, go on
    from there.

    Args:
        written: options of a run.
        out: directory of the search. Default: runs/tune-DATA.
        teacher: name of the larger model, for methods that have one. Default: by data.
        methods: as of tfkd compare.
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
        jobs: runs side by side. Default: 1 on a GPU, else one for each core, at most 4; with Ray
            one for each GPU, else for each core.
        executor: processes of this machine, or a Ray cluster with a common file system.
        dry_run: only say how many runs and epochs it has, and how long they would take here.
        other_data: go on though the data are not those that runs were begun with.
    """
    from tfkd.report.terminal.study_progress import show_study_progress

    with show_study_progress() as progress:
        with loading():
            from tfkd.cli.studies import _name
            from tfkd.runs.recipes import defaults
            from tfkd.runs.written import circumstances_of, make_recipe
            from tfkd.study.applicable import ALL, applicable
            from tfkd.study.comparison import COMPARED
            from tfkd.tune.plan import Tuning, parse_range
            from tfkd.tune.run import tune as run_tuning

            circumstances = circumstances_of(written)
            recipe, circumstances = make_recipe(written.get("recipe", {}), circumstances)
            teacher = teacher or defaults(recipe.data.name).teacher
            check_models(student=recipe.student, teacher=teacher)
            left_out: tuple[str, ...] = ()
            if methods == (ALL,):
                methods, left_out = applicable(recipe, teacher=teacher, teacher_cache=teacher_cache)
            ranges = {"learning_rates": learning_rates, "weight_decays": weight_decays}
            tuning = Tuning(
                recipe=recipe,
                teacher=teacher,
                methods=methods or COMPARED,
                trials=trials,
                seeds=seeds,
                objective=objective,
                prune=prune,
                search_seed=search_seed,
                teacher_cache=teacher_cache,
                **{n: None if t is None else parse_range(n, t) for n, t in ranges.items()},
            )
        for remark in left_out:
            progress.remark(remark)
        out = out or Path("runs") / f"tune-{_name(recipe.data.name, circumstances)}"
        progress.start(0, 0)
        run_tuning(
            tuning,
            out,
            progress=progress,
            jobs=jobs,
            circumstances=circumstances,
            executor=executor,
            other_data=other_data,
        )
