"""The command that compares methods, each at its defaults, at chosen settings, or tuned first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfkd._checks import check_integer
from tfkd.cli.interrupt import loading
from tfkd.cli.runs import check_models
from tfkd.cli.studies import Job, data_name, seeds_of
from tfkd.runs.written import Written

if TYPE_CHECKING:
    from tfkd.runs import Circumstances
    from tfkd.runs.chosen import Chosen
    from tfkd.study.plan import Study
    from tfkd.tune.plan import Tuning

USUAL_SEEDS = {"digits": 8}
"""Of a comparison whose runs take seconds: as many as tell its methods apart."""


def compare(
    written: Written,
    *,
    out: Path | None = None,
    teacher: str | None = None,
    methods: tuple[str, ...] = (),
    chosen: Path | None = None,
    contrasts: tuple[str, ...] = (),
    worthwhile: float = 0.2,
    controls: tuple[str, ...] = (),
    tune: int | None = None,
    tune_seeds: int | None = None,
    teacher_cache: str = "none",
    generations: int = 1,
    seeds: int | None = None,
    jobs: int | None = None,
    dry_run: bool = False,
    other_data: bool = False,
) -> None:
    """Train every method with several seeds and compare each with plain cross-entropy.

    The methods of one seed share the validation split, the initial weights, the order of samples
    and their augmentation. The same command again goes on where it was interrupted.

    Defaults that depend on the data:

      data           student        teacher       epochs  schedule
      digits         small_cnn      wide_cnn          20  cosine
      fashion-mnist  plain_cnn      mobilenet_v2      60  cosine
      cifar10, 100   mobilenet_v2   resnet18         200  step 60,120,160, gamma 0.2
      tiny-imagenet  mobilenet_v2   resnet18         200  step 60,120,160, gamma 0.1
      imagenet       timm/resnet18  timm/resnet50     90  step 30,60,80, gamma 0.1
      a folder       timm/resnet18  timm/resnet50     90  cosine

      All: sgd with momentum 0.9. Learning rate 0.1 (a folder: 0.025), batch
      size 128 (imagenet: 256, a folder: 64), weight decay 5e-4 (imagenet, a
      folder: 1e-4; a folder: none of norms and biases), warm-up of 1 epoch
      (imagenet: none).

    With --tune 20 each method is compared at its best: its numbers, learning rate and weight decay
    are chosen first, on validation data and with the same budget for all.

    Args:
        written: options of a run.
        out: directory of the comparison. Default: runs/compare-DATA.
        teacher: name of the larger model, for normal_kd, re_kd and de_kd. Default: by data.
        methods: some of cross_entropy, label_smoothing, tf_kd_reg, tf_kd_self, normal_kd, re_kd,
            de_kd, or module:function of your own, or any that tfkd methods lists, with commas
            between them; all: every one that these settings allow. Default: those named here, which
            the Tf-KD paper compares; with --chosen those of the file.
        chosen: file of settings that were chosen before, as tfkd tune writes it: numbers, learning
            rate and weight decay by entry, each an arm of its own. One called teacher, of
            cross_entropy, says how the larger model is trained.
        contrasts: what is claimed, and tested as one family: pairs of methods or arms as
            tf_kd_reg:label_smoothing, with commas between them. Default: each against
            cross_entropy.
        worthwhile: smallest difference in accuracy worth having, in points, above 0.
        controls: what else may explain a gain, trained beside every method: some of scaled,
            uninformed, smoothed, balanced, undone, double, with commas between them, or none:
            cross-entropy times the method's loss scale; the same loss, taught by one who knows
            nothing; label smoothing at its equivalent epsilon; the others are explained by tfkd
            study run --help. Default: none; with --tune scaled and uninformed.
        tune: choose the settings of every method first, of so many trials each, as tfkd tune does;
            its search lies in the folder tune of the directory.
        tune_seeds: runs of each trial, with seeds that the comparison has not. Default: 2.
        teacher_cache: store what networks that teach say about every image, and ask them no more:
            float32 (exact), float16, top-10 (or another number of classes), or sampled-12 (or
            another number of draws); none: ask them at every step. With augmentation set --views
            too.
        generations: networks of each method that a network teaches its like by, born_again among
            them: the second is taught by the first, and so on; told too is what they are worth
            together.
        seeds: number of seeds, at least 1. Default: 8 for digits, else 3, which can conclude
            nothing but that there is no difference; with --folds as many, one for each.
        jobs: runs side by side. Default: 1 on a GPU, else one for each core, at most 4.
        dry_run: only say how many runs and epochs it has, how long they would take here, and what
            so many seeds can show.
        other_data: go on though the data are not those that runs were begun with.
    """
    from tfkd.report.terminal.study_progress import show_study_progress

    with show_study_progress() as progress:
        with loading():
            from tfkd.runs.chosen import read_chosen
            from tfkd.runs.recipes import defaults
            from tfkd.runs.written import circumstances_of, make_recipe

            circumstances = circumstances_of(written)
            recipe, circumstances = make_recipe(written.get("recipe", {}), circumstances)
            from msgspec.structs import replace

            import tfkd.report.terminal.planned  # noqa: F401
            from tfkd.study.applicable import ALL, applicable
            from tfkd.study.comparison import comparison
            from tfkd.study.contrasts import with_contrasts
            from tfkd.study.controls_left_out import with_controls
            from tfkd.study.run import check_looks_at_test

            check_looks_at_test(circumstances)
            teacher = teacher or defaults(recipe.data.name).teacher
            check_models(student=recipe.student, teacher=teacher)
            left_out: tuple[str, ...] = ()
            if methods == (ALL,):
                methods, left_out = applicable(recipe, teacher=teacher, teacher_cache=teacher_cache)
            _check_tuning(chosen, tune, tune_seeds)
            wanted = controls or (("scaled", "uninformed") if tune is not None else ())

            def planned(found: Sequence[Chosen]) -> tuple[Study, tuple[str, ...]]:
                study = comparison(
                    recipe,
                    teacher=teacher,
                    methods=methods or None,
                    seeds=seeds_of(seeds, recipe.data.folds, USUAL_SEEDS.get(recipe.data.name)),
                    teacher_cache=teacher_cache,
                    generations=generations,
                    chosen=found,
                )
                study, without = with_controls(study, wanted, circumstances)
                return with_contrasts(study, contrasts, worthwhile), without

            study, without = planned(() if chosen is None else read_chosen(chosen))
            tuning = None
            if tune is not None:
                from tfkd.tune.before import (
                    check_may_tune,
                    in_words,
                    remarks_on,
                    tune_before,
                    tuning_of,
                )

                tuning = tuning_of(
                    study,
                    recipe,
                    teacher,
                    trials=tune,
                    seeds=2 if tune_seeds is None else tune_seeds,
                )
        out = out or Path("runs") / f"compare-{data_name(recipe.data.name, circumstances)}"
        if tuning is not None:
            check_may_tune(tuning, study, out)
        if tuning is not None and not dry_run:
            progress.remark("First the settings of each method are chosen, on validation data.")
            found = tune_before(
                tuning,
                out,
                progress=progress,
                jobs=jobs,
                circumstances=circumstances,
                other_data=other_data,
            )
            study, without = planned(found)
            study = replace(study, remarks=(*remarks_on(tuning, found), *study.remarks))
            progress.remark("The settings are chosen; now the methods are compared at them:")
            for own in found:
                progress.remark(f"{in_words(own)}.")
        elif tuning is not None:
            left_out = (*left_out, _search_first(tuning, out, circumstances, jobs))
        left_out = (*left_out, *without)
        job = Job(study, out, circumstances, jobs, other_data=other_data, remarks=left_out)
        show_results = job.plan() if dry_run else job.run(progress)
    show_results()


def _check_tuning(chosen: Path | None, tune: int | None, tune_seeds: int | None) -> None:
    """Raise `ValueError` for options that do not go together."""
    if tune is not None and chosen is not None:
        raise ValueError(f"Expected no `tune` beside `chosen`, got {tune}.")
    if tune is None and tune_seeds is not None:
        raise ValueError(f"Expected `tune` beside `tune_seeds`, got {tune_seeds}.")
    for name, number in (("tune", tune), ("tune_seeds", tune_seeds)):
        if number is not None:
            check_integer(name, number, minimum=1)


def _search_first(tuning: Tuning, out: Path, circumstances: Circumstances, jobs: int | None) -> str:
    """What is tuned before a comparison, and how long that takes, in a sentence."""
    from tfkd.report.number_text import number_of
    from tfkd.report.terminal.found import and_compiling, time_words
    from tfkd.tune.before import cost_of

    cost = cost_of(tuning, out, circumstances, jobs)
    return (
        f"Before it, {len(tuning.entries)} methods are tuned: {number_of(tuning.trials, 'trial')} "
        f"of {number_of(tuning.seeds, 'seed')} each, at most {number_of(len(cost.by_run), 'run')} "
        f"left, {time_words(cost.seconds)}{and_compiling([tuning.recipe], ' of each run')}. The "
        "comparison has the settings found; here it has the defaults."
    )
