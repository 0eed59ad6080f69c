"""The command that says which method to use."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tfkd.cli.interrupt import loading
from tfkd.cli.runs import check_models
from tfkd.runs.written import Written


def recommend(
    data: str,
    written: Written,
    *,
    minutes: float = 30.0,
    for_: Literal["accuracy", "calibration", "selection"] = "accuracy",
    out: Path | None = None,
    teacher: str | None = None,
    jobs: int | None = None,
    dry_run: bool = False,
    other_data: bool = False,
) -> None:
    """Say which method to use on some data, as well as it can be found out in so many minutes.

    Label smoothing, Tf-KD_reg and, if there is time and a larger model, distillation from that are
    tuned on validation data together with cross-entropy, all with the same budget; then they are
    compared with fresh seeds on the test split. Another method than cross-entropy with its logits
    scaled by one temperature is recommended only where that comparison tells it to be better: by a
    test over all of them (p of at most .05), with seeds enough. It ends in one sentence, one
    command and one file of settings.

    No run is started that would not be finished in time. The same command again goes on where it
    was interrupted, and with more --minutes it looks closer.

    Args:
        data: a folder of images, or digits, fashion-mnist or other data as of tfkd train.
        written: options of a run.
        minutes: time that may be taken, above 0. Default: 30.
        for_: what the method shall be good for: accuracy; calibration, which is the NLL after one
            temperature; or selection, which is how well sure answers are told from unsure ones.
            Default: accuracy.
        out: directory of all that is computed. Default: runs/recommend-DATA.
        teacher: name of the larger model. Default: by data.
        jobs: runs side by side. Default: 1 on a GPU, else one for each core, at most 4.
        dry_run: only say what would be done in the time, which is measured, and train nothing.
        other_data: go on though the data are not those that runs were begun with.
    """
    from tfkd.report.terminal.study_progress import show_study_progress

    with show_study_progress() as progress:
        with loading():
            from tfkd.advice.recommend import Task
            from tfkd.cli.studies import data_name
            from tfkd.runs.recipes import defaults
            from tfkd.runs.written import circumstances_of, make_recipe

            recipe_said = dict(written.get("recipe", {}))
            recipe_said["data"] = {**recipe_said.get("data", {}), "name": data}
            circumstances = circumstances_of(written)
            recipe, circumstances = make_recipe(recipe_said, circumstances)
            teacher = teacher or defaults(recipe.data.name).teacher
            check_models(student=recipe.student, teacher=teacher)
        name = data_name(recipe.data.name, circumstances)
        out = out or Path("runs") / f"recommend-{name}"
        task = Task(
            base=recipe,
            teacher=teacher,
            name=name,
            minutes=minutes,
            purpose=for_,
            root=out,
            circumstances=circumstances,
            progress=progress,
            jobs=jobs,
            other_data=other_data,
        )
        foreseen, found = (task.foresee(), None) if dry_run else ([], task.recommend())
    from shlex import quote
    from textwrap import fill

    for text in foreseen:
        print(fill(text, 80))
    if found is None:
        return
    for text in found.remarks:
        print(fill(text, 80))
    print()
    print(fill(found.sentence, 80))
    print()
    print(f"  {found.command}")
    print()
    print(f"The same as a file: tfkd train --config {quote(str(found.file))} --out DIR")
    print("Its probabilities after the temperature: tfkd predict DIR IMAGES --calibrated")
