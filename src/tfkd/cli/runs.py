"""Commands on one run: train it, measure it, predict with it; and explain a loss."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

from tfkd.cli.interrupt import loading
from tfkd.runs.written import Written


def train(
    written: Written,
    *,
    out: Path,
    overwrite: bool = False,
    other_data: bool = False,
) -> None:
    """Train one model with one method.

    The same command again goes on where it was interrupted. Start it with torchrun for several
    GPUs. Defaults that depend on the data are listed by `tfkd compare --help`.

    Args:
        written: options of a run.
        out: directory of the run, made if it does not exist.
        overwrite: train anew what was trained there before.
        other_data: go on though the data are not those that the run was begun with.
    """
    from tfkd.report.terminal.run_progress import show_progress

    with show_progress() if is_main_process() else nullcontext() as progress:
        with loading():
            from tfkd.runs.written import make_run

            settings, circumstances = make_run(written)
            import tfkd.report.terminal.found  # noqa: F401
            from tfkd.runs import RunDirectory
            from tfkd.train import train_run

            teacher = getattr(settings.teacher, "model", None)
            check_models(student=settings.recipe.student, teacher=teacher)
        was_finished = not overwrite and RunDirectory(out).result() is not None
        result = train_run(
            out,
            settings,
            circumstances,
            progress=progress,
            overwrite=overwrite,
            other_data=other_data,
        )
    if progress is None:
        return
    from tfkd.report.terminal.lines import print_metrics

    print("The run was finished before." if was_finished else "The run is finished.")
    print_metrics(result.test, title=f"test split, {result.samples.test} images")
    print(f"Weights, settings and metrics are in {out}.")


def evaluate(
    run: Path,
    *,
    split: Literal["test", "validation", "train"] = "test",
    epoch: int | None = None,
    data: str | None = None,
    other_data: bool = False,
) -> None:
    """Measure a trained model again.

    Args:
        run: directory of a finished run.
        split: part of the data; train is without augmentation.
        epoch: take the weights kept after this epoch, not the final ones.
        data: where the data lie, if not where the run found them.
        other_data: measure it on other images of the same classes.
    """
    from tfkd.report.terminal.lines import print_metrics
    from tfkd.train import evaluate_run

    metrics = evaluate_run(run, split=split, epoch=epoch, data_root=data, other_data=other_data)
    if is_main_process():
        print_metrics(metrics, title=f"{split} split")


def explain_loss(
    written: Written,
    *,
    method: str = "tf_kd_reg",
    classes: int = 10,
    picture: Path | None = None,
) -> None:
    """Show what a loss amounts to: its soft target, and the label smoothing it equals.

    Args:
        written: options of a method.
        classes: number of classes, at least 2.
        picture: file to draw the soft targets to; .svg, .png or .pdf.
    """
    from torch import nn

    import tfkd
    from tfkd._checks import check_integer
    from tfkd.runs.written import make_method

    check_integer("classes", classes, minimum=2)
    settings = make_method({**written.get("method", {}), "name": method})
    stand_in = nn.Identity() if settings.has_teacher else None
    explanation = tfkd.explain(settings.build(num_classes=classes, teacher=stand_in), classes)
    if picture is not None:
        from tfkd.report.figures.soft_targets_of_loss import save_soft_targets

        save_soft_targets(explanation, picture, title=settings.name)
    print(explanation)


def predict(
    run: Path,
    files: list[Path],
    *,
    top: int = 3,
    epoch: int | None = None,
    json: bool = False,
) -> int:
    """Classify image files with a trained model.

    Args:
        run: directory of a finished run.
        files: image files.
        top: how many classes to print for each, at least 1.
        epoch: take the weights kept after this epoch, not the final ones.
        json: print one JSON object a line, with file and predictions.
    """
    from tfkd.report.terminal.lines import print_prediction
    from tfkd.train.predict import predict_files

    unreadable = []
    for prediction in predict_files(run, files, top=top, epoch=epoch):
        if prediction.error is None:
            print_prediction(prediction, as_json=json)
        else:
            unreadable.append(prediction)
    for prediction in unreadable:
        print(f"tfkd: error: {prediction.error}", file=sys.stderr)
    return 1 if unreadable else 0


def check_models(**names: str | None) -> None:
    """Check the names of networks, by the options that they are typed behind."""
    from tfkd.models.create import check_model_name

    for option, name in names.items():
        if name is not None:
            check_model_name(name, argument=option)


def is_main_process() -> bool:
    """Return whether this is the process that prints; torchrun numbers them."""
    return os.environ.get("RANK", "0") == "0"
