"""Commands on one run: train it, measure it, predict with it; and explain a loss."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tfkd._few_images import FEW, LEAST
from tfkd.cli.interrupt import loading
from tfkd.runs.written import Written

if TYPE_CHECKING:
    from tfkd.data.image_files import LeftOut
    from tfkd.train import Prediction


def train(
    written: Written,
    *,
    out: Path,
    overwrite: bool = False,
    other_data: bool = False,
) -> None:
    """Train one model with one method.

    The same command again goes on where it was interrupted. A teacher that is named as a network,
    as timm/resnet50, is trained first. Start it with torchrun for several GPUs. Defaults that
    depend on the data are listed by `tfkd compare --help`.

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
            from tfkd.train.teacher_first import train_teacher_first
            from tfkd.train.teacher_remark import remark_on_teacher
            from tfkd.train.warm_up_remark import remark_on_warm_up

            teacher = getattr(settings.teacher, "model", None)
            check_models(student=settings.recipe.student, teacher=teacher)
        settings = train_teacher_first(
            out,
            settings,
            circumstances,
            progress=progress,
            overwrite=overwrite,
            other_data=other_data,
        )
        was_finished = not overwrite and RunDirectory(out).result() is not None
        if not was_finished:
            warm_up = remark_on_warm_up(settings.method, settings.recipe.epochs)
            for remark in (remark_on_teacher(settings), warm_up):
                if progress is not None and remark is not None:
                    progress.remark(remark)
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
    from tfkd._counted import number_of
    from tfkd.report.terminal.lines import EXPLAINED, on_temperature, print_metrics, test_support

    print("The run was finished before." if was_finished else "The run is finished.")
    if result.multi_label is not None:
        from tfkd.report.terminal.several_labels import result_lines

        print("\n".join(result_lines(result)))
        if result.multi_label.test is None:
            print(f"The test split was left alone; tfkd evaluate {out} measures it.")
        print(f"Weights, settings and metrics are in {out}.")
        return
    support = test_support(RunDirectory(out))
    calibrated = result.calibrated
    temperature = None if calibrated is None else calibrated.temperature
    if result.test is not None:
        images = number_of(result.samples.test, "image")
        print_metrics(
            result.test,
            title=f"test split, {images}",
            support=support,
            after=None if calibrated is None else calibrated.test,
            temperature=temperature,
        )
        if temperature is not None:
            fitted_on = result.samples.validation
            after = None if calibrated is None else calibrated.test
            print("\n".join(on_temperature(fitted_on, temperature, result.test, after)))
    elif result.validation is not None:
        images = number_of(result.samples.validation, "image")
        print_metrics(
            result.validation,
            title=f"validation split, {images}",
            after=None if calibrated is None else calibrated.validation,
            temperature=temperature,
        )
        if temperature is not None:
            print("T, fitted on these images, divides the logits.")
    if result.test is None:
        print(f"The test split was left alone; tfkd evaluate {out} measures it.")
    print(f"Weights, settings and metrics are in {out}.")
    print(f"{EXPLAINED} {out}")


def evaluate(
    run: Path,
    *,
    split: Literal["test", "validation", "train"] = "test",
    on: Path | None = None,
    epoch: int | None = None,
    data: str | None = None,
    other_data: bool = False,
    json: bool = False,
    csv: Path | None = None,
    workers: int = 0,
    logit_norm: str = "none",
) -> None:
    """Measure a trained model again, and class by class.

    Its logits are measured as they come and after the run's temperature, which was fitted on its
    validation split.

    Args:
        run: directory of a finished run.
        split: part of the data; train is without augmentation.
        on: measure it on every image of this folder by class, or of this CSV file of paths and
            labels, whose classes are some of the run's; of one with a test part, on that.
        epoch: take the weights kept after this epoch, not the final ones.
        data: where the data lie, if not where the run found them; of a run by --labels, where the
            images lie that its table names.
        other_data: measure it on other images of the same classes, split as the run's.
        json: print one JSON object, with all classes and the whole confusion; its macro_f1 and
            balanced_accuracy are means over the classes that have images.
        csv: file to write the scores of all classes to, .csv; or - for standard output, alone.
        workers: processes that decode image files; 0: this one.
        logit_norm: tell AURC and AUGRC, too, by the largest logit over the p-norm of the logits
            that their mean is taken from: p, auto (the best on validation images) or none.
    """
    norm = norm_of(logit_norm)
    check_csv(csv)
    if json and str(csv) == "-":
        raise ValueError("Expected `json` or `csv` on standard output, got both.")
    from tfkd.report.terminal.evaluation import class_csv, evaluation_lines
    from tfkd.report.terminal.lines import EXPLAINED
    from tfkd.report.terminal.several_labels import evaluation_lines_of_several, label_csv
    from tfkd.report.text import printable
    from tfkd.runs import RunDirectory
    from tfkd.train import evaluate_multi_label_run, evaluate_run

    if RunDirectory(run).settings().recipe.data.several_labels:
        for option, value in (("on", on), ("logit_norm", norm)):
            if value is not None:
                raise ValueError(
                    f"Expected no `{option}` for a run with several labels an image, got {value}."
                )
        of_several = evaluate_multi_label_run(
            run,
            split=split,
            epoch=epoch,
            data_root=data,
            other_data=other_data,
            workers=workers,
            calibrated=True,
        )
        lines = "\n".join(evaluation_lines_of_several(of_several))
        if is_main_process():
            print_evaluation(of_several, label_csv(of_several), lines, csv=csv, json=json)
        return
    found = evaluate_run(
        run,
        split=split,
        epoch=epoch,
        data_root=data,
        other_data=other_data,
        on=on,
        workers=workers,
        calibrated=True,
        logit_norm=norm,
    )
    if not is_main_process():
        return
    for remark in found.remarks:
        print(f"tfkd: in {printable(f'{on}: {remark}')}", file=sys.stderr)
    lines = "\n".join([*evaluation_lines(found), f"\n{EXPLAINED} {run}"])
    print_evaluation(found, class_csv(found), lines, csv=csv, json=json)


def print_evaluation(
    found: object, table: str, lines: str, *, csv: Path | None, json: bool
) -> None:
    """Print an evaluation as lines, as JSON or as a table, which may be written to a file.

    Args:
        found: what was measured.
        table: as CSV.
        lines: for people.
        csv: where the table is written; - is standard output, alone; None: nowhere.
        json: print JSON in place of lines.
    """
    from tfkd.runs.files import to_json, write_text

    if csv is not None and str(csv) == "-":
        print(table, end="")
        return
    if csv is not None:
        write_text(csv, table)
    print(to_json(found).decode() if json else f"{lines}\n", end="")


def explain_loss(
    written: Written,
    *,
    method: str = "tf_kd_reg",
    classes: int = 10,
    epochs: int = 30,
    picture: Path | None = None,
) -> None:
    """Show what a loss amounts to: its soft target, and the label smoothing it equals.

    Args:
        written: options of a method.
        classes: number of classes, at least 2.
        epochs: of a training, over which a method's numbers may change, at least 1.
        picture: file to draw the soft targets to; .svg, .png or .pdf.
    """
    from torch import nn

    import tfkd
    from tfkd._checks import check_integer
    from tfkd.runs.written import make_method

    check_integer("classes", classes, minimum=2)
    check_integer("epochs", epochs, minimum=1)
    settings = make_method({**written.get("method", {}), "name": method})
    stand_in = nn.Identity() if settings.has_teacher else None
    criterion = settings.build(num_classes=classes, teacher=stand_in, epochs=epochs)
    explanation = tfkd.explain(criterion, classes)
    if picture is not None:
        from tfkd.report.figures.soft_targets_of_loss import save_soft_targets

        save_soft_targets(explanation, picture, title=settings.name)
    print(explanation)


def predict(
    run: Path,
    files: list[Path],
    *,
    top: int | None = None,
    calibrated: bool = False,
    least_images: int = LEAST,
    epoch: int | None = None,
    json: bool = False,
    csv: Path | None = None,
    workers: int = 0,
) -> int:
    """Classify image files with a trained model.

    Args:
        run: directory of a finished run.
        files: image files; folders, of which all images are meant; or - for names on standard
            input, one a line.
        top: how many classes to give for each, at least 1. Default: 3; where an image may have
            several labels, all of them, of which the table shows those above 50 %.
        calibrated: give the probabilities after the run's temperature, which was fitted on its
            validation split.
        least_images: of that split, from which --calibrated is answered; fewer fit a temperature
            that is often worse than none.
        epoch: take the weights kept after this epoch, not the final ones.
        json: print one JSON object a line, with file and predictions, or file and error.
        csv: file to write a table to, .csv; or - for standard output.
        workers: processes that decode the images; 0: this one.
    """
    check_csv(csv)
    if json and csv is not None:
        raise ValueError("Expected `json` or `csv`, got both.")
    from tfkd._counted import number_of
    from tfkd.report.terminal.lines import fitted_on
    from tfkd.report.terminal.predictions import csv_lines, json_lines, table_lines
    from tfkd.report.text import printable
    from tfkd.runs import RunDirectory
    from tfkd.train import predict_files
    from tfkd.train.trained.listing import files_meant
    from tfkd.train.trained.predict import usual_of_run

    def say_left_out(folder: Path, found: LeftOut) -> None:
        print(f"tfkd: in {printable(f'{folder} left out, {found.words}')}", file=sys.stderr)

    named = files_meant(names(files), say_left_out)
    found = predict_files(
        run,
        named,
        top=top,
        epoch=epoch,
        workers=workers,
        calibrated=calibrated,
        least_images=least_images,
    )
    if calibrated and (images := RunDirectory(run).data().samples["validation"]) < FEW:
        print(f"tfkd: {fitted_on(images)}", file=sys.stderr)
    asked = errors = 0

    def answers() -> Iterator[Prediction]:
        nonlocal asked, errors
        for prediction in found:
            asked += 1
            if prediction.error is not None:
                errors += 1
                print(f"tfkd: error: {printable(prediction.error)}", file=sys.stderr)
            yield prediction

    with contextlib.ExitStack() as opened:
        out = sys.stdout
        if json:
            lines = json_lines(answers())
        elif csv is not None:
            number, several = usual_of_run(run)
            lines = csv_lines(answers(), top=top or number, several_labels=several)
            if str(csv) != "-":
                out = opened.enter_context(csv.open("w", encoding="utf-8"))
        else:
            width = shutil.get_terminal_size().columns if out.isatty() else 80
            lines = table_lines(answers(), width=width)
        for line in lines:
            print(line, file=out, flush=True)
    if csv is not None and str(csv) != "-":
        unread = f", {errors} of them unread" if errors else ""
        print(f"{number_of(asked, 'image')}{unread}: {printable(str(csv))}")
    if errors and asked > 1:
        print(f"tfkd: {errors} of {asked} images have no answer.", file=sys.stderr)
    return 1 if errors else 0


def export(
    run: Path,
    *,
    out: Path,
    format: Literal["safetensors", "torch-export", "onnx"] = "safetensors",
    epoch: int | None = None,
    least_images: int = LEAST,
) -> None:
    """Write a trained model for other programs, with how images are prepared for it.

    What is written is loaded as they load it, and its logits are compared, before it is there.

    Args:
        run: directory of a finished run.
        out: new or empty directory to write it to.
        format: safetensors: weights alone, for timm's networks as timm loads them; torch-export: a
            program for plain torch; onnx: a graph for onnxruntime and others.
        epoch: take the weights kept after this epoch, not the final ones.
        least_images: of the validation split, from which its temperature is written; fewer fit one
            that is often worse than none.
    """
    from textwrap import fill

    from tfkd.report.terminal.lines import fitted_on
    from tfkd.train import export_run

    done = export_run(run, format=format, out=out, epoch=epoch, least_images=least_images)
    print(
        f"{done.file}: checked, logits within {done.difference:.1g} of the run's (allowed "
        f"{done.allowed:.1g})."
    )
    if done.temperature is not None and done.fitted_on < FEW:
        print(fill(fitted_on(done.fitted_on), 80))
    elif 0 < done.fitted_on < least_images:
        print(
            fill(
                f"It is without a temperature: the run has {done.fitted_on} validation images, "
                f"which fit one badly, and --least-images is {least_images}.",
                80,
            )
        )
    print(f"How it is loaded, and how images are prepared: {done.folder / 'README.txt'}")


def names(files: list[Path]) -> Iterator[Path]:
    """Yield what is named; in place of - what standard input names, one a line."""
    for file in files:
        if str(file) != "-":
            yield file
            continue
        for line in sys.stdin.buffer:
            if name := line.rstrip(b"\r\n"):
                yield Path(os.fsdecode(name))


def norm_of(text: str) -> float | Literal["auto"] | None:
    """Return what `--logit-norm` says."""
    if text == "auto":
        return "auto"
    if text == "none":
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"Expected `logit_norm` to be a number, auto or none, got {text!r}."
        ) from None


def check_csv(file: Path | None) -> None:
    """Check that what shall be written over is called a table, and is no image typed behind it."""
    if file is None or str(file) == "-":
        return
    if file.suffix.lower() != ".csv":
        raise ValueError(f"Expected `csv` to be a file .csv, or - for standard output, got {file}.")
    if file.is_dir():
        raise ValueError(f"Expected `csv` to be a file, got the folder {file}.")
    if not file.parent.is_dir():
        raise ValueError(f"Expected `csv` in a folder that is there, got {file}.")


def check_models(**names: str | None) -> None:
    """Check the names of networks, by the options that they are typed behind."""
    from tfkd.models.create import check_model_name

    for option, name in names.items():
        if name is not None:
            check_model_name(name, argument=option)


def is_main_process() -> bool:
    """Return whether this is the process that prints; torchrun numbers them."""
    return os.environ.get("RANK", "0") == "0"
