"""The commands: functions that become sub-commands; torch is loaded when one of them runs."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from tfkd.cli.parser import Commands, Epochs, Group, Names

Method = Literal[
    "cross_entropy",
    "label_smoothing",
    "tf_kd_reg",
    "tf_kd_self",
    "knowledge_distillation",
    "paper_kd",
    "paper_tf_kd_reg",
    "released_kd",
    "released_tf_kd_reg",
    "released_label_smoothing",
]


def compare(
    *,
    out: Path | None = None,
    data: str = "digits",
    student: str | None = None,
    teacher: str | None = None,
    methods: Names | None = None,
    teacher_cache: str = "none",
    seeds: int = 3,
    jobs: int | None = None,
    workers: int = 0,
    **recipe: Any,
) -> None:
    """Train every method with several seeds and compare each with plain cross-entropy.

    The methods of one seed share the validation split, the initial weights, the order of samples
    and their augmentation. The same command again goes on where it was interrupted.

    Defaults that depend on the data:

      data           student        teacher        epochs  schedule
      digits         small_cnn      wide_cnn           20  cosine
      fashion-mnist  plain_cnn      mobilenet_v2       60  cosine
      cifar10, 100   mobilenet_v2   resnet18          200  step 60,120,160, gamma 0.2
      tiny-imagenet  mobilenet_v2   resnet18          200  step 60,120,160, gamma 0.1
      imagenet       timm/resnet18  timm/resnet50      90  step 30,60,80, gamma 0.1
      a folder       timm/resnet18  timm/resnet50      90  cosine

      All: sgd with momentum 0.9. Learning rate 0.1 (a folder: 0.025), batch size 128
      (imagenet: 256, a folder: 64), weight decay 5e-4 (imagenet, a folder: 1e-4), warm-up of 1
      epoch (imagenet: none).

    Args:
        out: directory of the comparison. Default: runs/compare-DATA.
        data: digits, fashion-mnist, cifar10, cifar100, tiny-imagenet, imagenet, or the path of a
            folder with a sub-folder of images for each class.
        student: name of the model to train, of this package or of timm. Default: by data.
        teacher: name of the larger model, for normal_kd, re_kd and de_kd. Default: by data.
        methods: some of cross_entropy, label_smoothing, tf_kd_reg, tf_kd_self, normal_kd, re_kd,
            de_kd, with commas between them. Default: all of them.
        teacher_cache: store what networks that teach say about every image, and ask them no more:
            float32 (exact), float16, or top-10 (or another number of classes); none: ask them at
            every step. With augmentation set --views too.
        seeds: number of seeds, at least 1.
        jobs: runs side by side. Default: 1 on a GPU, else one for each core, at most 4.
        workers: processes that decode image files, for each run.
    """
    from tfkd.runs.recipes import check_model, default_models, run_settings
    from tfkd.study.comparison import comparison
    from tfkd.study.methods import METHODS

    base = run_settings(data=data, student=student, **_recipe(**recipe))
    teacher = teacher or default_models(data)[1]
    check_model(teacher, pretrained=base.pretrained)
    out = out or Path("runs") / f"compare-{Path(data).resolve().name}"
    study = comparison(
        base, teacher=teacher, methods=list(METHODS) if methods is None else methods, seeds=seeds
    )
    study = replace(study, teacher_cache=teacher_cache)
    _run_study(study, out, jobs=jobs, workers=workers)


def _run_study(
    study: Any, out: Path, *, jobs: int | None, workers: int, executor: str = "local"
) -> None:
    """Run a study, print its table and say where everything is."""
    from tfkd.report.terminal.study_progress import show_study_progress
    from tfkd.report.terminal.study_table import print_rows
    from tfkd.study.run import run_study
    from tfkd.study.summary import summarise_study

    with show_study_progress() as progress:
        records = run_study(
            study, out, jobs=jobs, workers=workers, progress=progress, executor=executor
        )
    print_rows(summarise_study(study, records), _console())
    print(f"All numbers: {out / study.name}.jsonl and .csv")
    print(f"A page with pictures: tfkd report {out}")


def _console() -> Any:
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
    *,
    data: str | None = None,
    dialect: Literal["released", "paper", "tfkd"] = "released",
    student: str | None = None,
    teacher: str | None = None,
    teacher_cache: str = "none",
    seeds: int = 3,
    controls: Names = Names(("scaled", "smoothed")),  # noqa: B008
    out: Path | None = None,
    jobs: int | None = None,
    workers: int = 0,
    executor: Literal["local", "ray"] = "local",
    dry_run: bool = False,
    **recipe: Any,
) -> None:
    """Run a study of the paper, or go on with it.

    It may be stopped at any moment, and started several times at once on one directory: finished
    runs count, begun ones go on, nothing runs twice. Studies of one directory share their runs.

    Args:
        name: table-1 to table-11, figure-2 or all-methods; `tfkd study list` says what they ask.
        data: fashion-mnist, digits or another data set, for the study in small, with one student
            and one larger teacher. Default: the data and networks of the paper; for all-methods
            fashion-mnist.
        dialect: the loss and recipe of the paper's released code, or as the paper prints them;
            tfkd, for a study in small: this package's defaults.
        student: of a study in small. Default: by data.
        teacher: the larger network of a study in small. Default: by data.
        teacher_cache: store what networks that teach say about every image, and ask them no more:
            float32 (exact), float16, or top-10 (or another number of classes); none: ask them at
            every step. With augmentation set --views too.
        seeds: number of seeds, at least 1.
        controls: some of scaled, smoothed, balanced, undone, double, with commas between them, or
            none: cross-entropy times the method's loss scale; label smoothing at its equivalent
            epsilon; scaled with weight decay times the scale; balanced with the learning rate
            divided by it, which must give plain cross-entropy; twice the epochs.
        out: directory of the study. Default: runs/DATA-DIALECT, where studies share their runs.
        jobs: runs side by side. Default: 1 on a GPU, else one for each core, at most 4; with Ray
            one for each GPU, else for each core.
        workers: processes that decode image files, for each run.
        executor: processes of this machine, or a Ray cluster with a common file system.
        dry_run: only say how many runs and epochs it has, and how long they would take here.
    """
    from tfkd.paper.catalogue import make_study

    controls = Names() if controls == ("none",) else controls
    study = make_study(
        name,
        data=data,
        dialect=dialect,
        student=student,
        teacher=teacher,
        seeds=seeds,
        controls=controls,
        recipe=_recipe(**recipe),
    )
    study = replace(study, teacher_cache=teacher_cache)
    data_name = study.arms[0].recipe.data.name
    ending = "" if name == "all-methods" else f"-{dialect}"
    out = out or Path("runs") / f"{Path(data_name).resolve().name}{ending}"
    if not dry_run:
        _run_study(study, out, jobs=jobs, workers=workers, executor=executor)
        return
    from tfkd.report.terminal.study_lines import print_estimate
    from tfkd.study.estimate import estimate
    from tfkd.study.execute import default_jobs

    jobs = default_jobs() if jobs is None else jobs
    print_estimate(study, estimate(study, out, jobs=jobs))


def status_of_studies(directory: Path) -> None:
    """Say how far the studies of a directory are.

    Args:
        directory: of studies, as `tfkd study run` and `tfkd compare` make it.
    """
    from tfkd.report.terminal.study_lines import print_status
    from tfkd.study.directory import read_studies
    from tfkd.study.status import study_status

    for study in read_studies(directory):
        print_status(study, study_status(study, directory), _console())


def report(directory: Path, *, out: Path | None = None) -> None:
    """Write a page about each study of a directory, from its runs alone.

    The page, NAME.html, holds all its pictures and numbers; NAME.md and NAME.table.csv have the
    tables, NAME.jsonl and NAME.csv every run.

    Args:
        directory: of studies, as `tfkd study run` and `tfkd compare` make it.
        out: where to. Default: the directory itself.
    """
    from tfkd.report.write import write_report
    from tfkd.study.directory import read_studies
    from tfkd.study.records import collect, write_records

    out = out or directory
    out.mkdir(parents=True, exist_ok=True)
    for study in read_studies(directory):
        records = collect(study, directory)
        written = write_report(study, directory, out, records=records)
        written += write_records(study, records, out)
        print("\n".join(str(file) for file in written))


def train(
    *,
    out: Path,
    data: str = "digits",
    student: str | None = None,
    method: Method = "cross_entropy",
    alpha: float | None = None,
    temperature: float | None = None,
    confidence: float | None = None,
    multiplier: float | None = None,
    scale: float | None = None,
    teacher: str | None = None,
    teacher_epoch: int | None = None,
    teacher_weights: str | None = None,
    teacher_cache: str = "none",
    save_epochs: Epochs = Epochs(),  # noqa: B008
    seed: int = 0,
    workers: int = 0,
    **recipe: Any,
) -> None:
    """Train one model with one method.

    The same command again goes on where it was interrupted. Start it with torchrun for several
    GPUs. Defaults that depend on the data are listed by `tfkd compare --help`.

    Args:
        out: directory of the run, made if it does not exist.
        data: digits, fashion-mnist, cifar10, cifar100, tiny-imagenet, imagenet, or the path of a
            folder with a sub-folder of images for each class.
        student: name of the model to train, of this package or of timm. Default: by data.
        method: what it is trained with; the paper_ and released_ ones are the losses as the Tf-KD
            paper prints them and as its code has them.
        alpha: weight of the teacher term, in [0, 1]. Default: the method's own.
        temperature: of teacher and student, above 0. Default: the method's own.
        confidence: probability that the designed teacher gives the true class, from 1/classes to
            1; for tf_kd_reg and its kin. Default: the method's own.
        multiplier: factor on the teacher term in the released_ methods. Default: 1.
        scale: factor on the whole loss, above 0. Default: 1.
        teacher: directory of a finished run, or with --teacher_weights the name of a model; for
            methods that are taught by a network.
        teacher_epoch: take the weights that the teacher's run kept after this epoch, not its
            final ones.
        teacher_weights: safetensors file of the teacher's weights.
        teacher_cache: store what the teacher says about every image, and ask it no more: float32
            (exact), float16, or top-10 (or another number of classes); none: ask it at every step.
            With augmentation set --views too.
        save_epochs: epochs after which the weights are kept, with commas between them.
        seed: of the validation split, the initial weights, the order of samples, augmentation
            and dropout; at least 0.
        workers: processes that decode image files.
    """
    from tfkd.report.terminal.lines import print_metrics
    from tfkd.report.terminal.run_progress import show_progress
    from tfkd.runs import MethodSettings, RunDirectory, TeacherSettings
    from tfkd.runs.recipes import run_settings
    from tfkd.train import train_run

    taught = None
    if teacher is not None:
        taught = TeacherSettings(
            teacher, epoch=teacher_epoch, weights=teacher_weights, cache=teacher_cache
        )
    elif teacher_epoch is not None or teacher_weights is not None or teacher_cache != "none":
        raise ValueError(
            "Expected `teacher` beside `teacher_epoch`, `teacher_weights` or `teacher_cache`."
        )
    settings = run_settings(
        data=data,
        student=student,
        method=MethodSettings(method, alpha, temperature, confidence, multiplier, scale),
        teacher=taught,
        save_epochs=save_epochs,
        seed=seed,
        **_recipe(**recipe),
    )
    if not is_main_process():
        train_run(out, settings, workers=workers)
        return
    was_finished = RunDirectory(out).result() is not None
    with show_progress() as progress:
        result = train_run(out, settings, workers=workers, progress=progress)
    print("The run was finished before." if was_finished else "The run is finished.")
    print_metrics(result["test"], title=f"test split, {result['samples']['test']} images")
    print(f"Weights, settings and metrics are in {out}.")


def evaluate(
    run: Path,
    *,
    split: Literal["test", "validation", "train"] = "test",
    epoch: int | None = None,
    data_root: str | None = None,
) -> None:
    """Measure a trained model again.

    Args:
        run: directory of a finished run.
        split: part of the data; train is without augmentation.
        epoch: take the weights kept after this epoch, not the final ones.
        data_root: where the data set lies, if not where the run found it.
    """
    from tfkd.report.terminal.lines import print_metrics
    from tfkd.train import evaluate_run

    metrics = evaluate_run(run, split=split, epoch=epoch, data_root=data_root)
    if is_main_process():
        print_metrics(metrics, title=f"{split} split")


def explain_loss(
    *,
    method: Method = "tf_kd_reg",
    classes: int = 10,
    alpha: float | None = None,
    temperature: float | None = None,
    confidence: float | None = None,
    multiplier: float | None = None,
    scale: float | None = None,
    picture: Path | None = None,
) -> None:
    """Show what a loss amounts to: its soft target, and the label smoothing it equals.

    Args:
        method: whose loss.
        classes: number of classes, at least 2.
        alpha: weight of the teacher term, in [0, 1]. Default: the method's own.
        temperature: of teacher and student, above 0. Default: the method's own.
        confidence: probability that the designed teacher gives the true class, from 1/classes to
            1. Default: the method's own.
        multiplier: factor on the teacher term in the released_ methods. Default: 1.
        scale: factor on the whole loss, above 0. Default: 1.
        picture: file to draw the soft targets to; .svg, .png or .pdf.
    """
    from torch import nn

    import tfkd
    from tfkd.runs import MethodSettings

    settings = MethodSettings(method, alpha, temperature, confidence, multiplier, scale)
    stand_in = nn.Identity() if settings.needs_teacher else None
    explanation = tfkd.explain(settings.build(num_classes=classes, teacher=stand_in), classes)
    if picture is not None:
        from tfkd.report.figures.soft_targets_of_loss import save_soft_targets

        save_soft_targets(explanation, picture, title=method)
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


def _recipe(
    *,
    data_root: str | None = None,
    train_size: int | None = None,
    validation_fraction: float = 0.1,
    image_size: int | None = None,
    augmentation: Literal["default", "none"] = "default",
    views: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    gradient_accumulation: int = 1,
    optimizer: Literal["sgd", "adamw"] | None = None,
    learning_rate: float | None = None,
    momentum: float | None = None,
    nesterov: bool = False,
    weight_decay: float | None = None,
    schedule: Literal["constant", "step", "cosine", "one-cycle"] | None = None,
    warmup_epochs: float | None = None,
    milestones: Epochs | None = None,
    gamma: float | None = None,
    mixed_precision: Literal["no", "bf16", "fp16"] = "no",
    mixup: float = 0.0,
    cutmix: float = 0.0,
    pretrained: bool = False,
    tensorboard: bool = False,
) -> dict[str, Any]:
    """Return the options that `compare` and `train` share.

    Args:
        data_root: where the data set lies. Default: $TFKD_DATA/NAME, ~/.cache/tfkd/NAME, then
            well-known places.
        train_size: number of training images to use. Default: all.
        validation_fraction: share of the training images held out for validation, in [0, 1).
        image_size: height and width in pixels. Default: the data's own.
        augmentation: the data's own, or none.
        views: augmented views of each training image that take turns, epoch by epoch. Default: a
            new one every epoch.
        epochs: passes over the training images. Default: by data.
        batch_size: images in a batch, over all processes together. Default: by data.
        gradient_accumulation: batches to a step of the optimiser.
        optimizer: of the weights. Default: sgd.
        learning_rate: highest learning rate, above 0. Default: by data.
        momentum: of sgd, in [0, 1]. Default: 0.9.
        nesterov: Nesterov's momentum for sgd.
        weight_decay: on all parameters, at least 0. Default: by data.
        schedule: course of the learning rate. Default: by data.
        warmup_epochs: epochs over which the learning rate rises from 0. Default: by data.
        milestones: for step: epochs after which the learning rate is multiplied by gamma, with
            commas between them. Default: by data.
        gamma: for step. Default: by data.
        mixed_precision: number format of the forward pass.
        mixup: parameter of mixup's Beta distribution; 0 is off.
        cutmix: parameter of CutMix's Beta distribution; 0 is off.
        pretrained: start from timm's weights, which timm may download.
        tensorboard: write TensorBoard event files.
    """
    return locals()


def is_main_process() -> bool:
    """Return whether this is the process that prints; torchrun numbers them."""
    return os.environ.get("RANK", "0") == "0"


# Only the command is called `explain`: jsonargparse looks up where a function is exported, and a
# public name of `tfkd` would have it load torch to print help.
COMMANDS: Commands = {
    "compare": compare,
    "study": Group(
        "Every experiment of the paper, in full or in small.",
        {"list": list_studies, "run": run_named_study, "status": status_of_studies},
    ),
    "report": report,
    "train": train,
    "evaluate": evaluate,
    "explain": explain_loss,
    "predict": predict,
}
