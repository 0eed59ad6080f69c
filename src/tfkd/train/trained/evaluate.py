"""A run measured again from its weights, on its own data or on other images of its classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from accelerate import Accelerator
from msgspec.structs import replace
from torch import Tensor, nn

from tfkd._checks import check_workers
from tfkd._counted import number_of
from tfkd.data import DataIdentity, ImageData, identify, load_data
from tfkd.data.identity import how_a_network_sees_them_differs, how_they_differ
from tfkd.data.images import ImageFiles
from tfkd.data.places import Places
from tfkd.data.settings import FOLDER
from tfkd.data.sources.folder.duplicates import number_in_both
from tfkd.metrics.normalized_logit import check_norm
from tfkd.runs import RunDirectory
from tfkd.train.accelerator import needs_cpu
from tfkd.train.logits import measuring_loader, predict_split
from tfkd.train.trained.calibration import calibration_of, selective_of
from tfkd.train.trained.evaluation import Evaluation, evaluation_of
from tfkd.train.trained.listing import labelled_images
from tfkd.train.trained.network import TrainedNetwork, best_device, load
from tfkd.train.trained.reading import read_batches
from tfkd.train.trained.temperature import temperature_or_why, validation_logits


def evaluate_run(
    path: Path | str,
    *,
    split: Literal["test", "validation", "train"] = "test",
    epoch: int | None = None,
    data_root: str | None = None,
    other_data: bool = False,
    on: Path | str | None = None,
    workers: int = 0,
    calibrated: bool = False,
    logit_norm: float | Literal["auto"] | None = None,
) -> Evaluation:
    """Measure a run again from its weights.

    Args:
        path: directory of the run.
        split: of its data; `train` is without augmentation.
        epoch: the snapshot kept after this epoch; None: the final weights.
        data_root: where the data lie, if not where the run found them; of a run by a table, the
            folder that its paths start from.
        other_data: measure it on other images of the same classes, split as its own are.
        on: measure it on every image of this folder by class, or CSV file of paths and labels, in
            place of the run's data. Its classes are some of the run's, by name; where it has a test
            part, that is measured.
        workers: processes that decode image files; 0: this one.
        calibrated: measure, too, what the run's temperature makes of it, which was fitted on its
            validation split, with bands of the calibration error, and class by class.
        logit_norm: tell AURC and AUGRC, too, by `tfkd.metrics.normalized_max_logit` with this p;
            `auto`: the best on the run's validation split.

    Returns:
        What `tfkd.metrics.all_metrics` returns, and what lies behind it class by class.

    Raises:
        FileNotFoundError: if run or data are not there.
        ValueError: if the data are not those of the run, or `on` holds other classes, no image or
            one that cannot be read; or for a run with several labels an image, which
            `evaluate_multi_label_run` measures.

    Example:
        >>> found = evaluate_run("results/one-run")
        >>> found.samples, found.classes[3].name, found.classes[3].support
        (596, '3', 61)
    """
    check_workers(workers)
    if logit_norm is not None and logit_norm != "auto":
        check_norm("logit_norm", logit_norm)
    also = _Also(RunDirectory(path), epoch, workers, calibrated, logit_norm)
    if RunDirectory(path).settings().recipe.data.several_labels:
        raise ValueError(
            f"Expected a run with one label an image, got {path}, whose images may have several. "
            "Measure it with tfkd.train.evaluate_multi_label_run."
        )
    if on is not None:
        if split != "test" or data_root is not None or other_data:
            raise ValueError("Expected `on`, or `split`, `data` or `other_data`, got both.")
        return _on(load(path, epoch), RunDirectory(path), Path(on), workers, also)
    answers = logits_of_run(
        path,
        split=split,
        epoch=epoch,
        data_root=data_root,
        other_data=other_data,
        workers=workers,
    )
    logits, labels = answers.logits, answers.labels
    found = evaluation_of(logits, labels, answers.classes, measured=answers.measured)
    own = None if other_data else data_root
    return also.measured(found, logits, labels, answers.network, own=own)


class SplitAnswers(NamedTuple):
    """What a run's network says of a split.

    Args:
        logits: (N, K).
        labels: of the images.
        classes: names of the K classes.
        measured: what the images are, in words.
        network: of the run.
    """

    logits: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    measured: str
    network: nn.Module


def logits_of_run(
    path: Path | str,
    *,
    split: Literal["test", "validation", "train"],
    epoch: int | None,
    data_root: str | None,
    other_data: bool,
    workers: int,
) -> SplitAnswers:
    """Ask a run's network about a split of its own data; arguments and errors of `evaluate_run`."""
    run = RunDirectory(path)
    stored = run.stored()
    model = run.load_model(epoch)
    places = Places.of(stored.circumstances.places).moved_to(data_root)
    data = load_data(stored.recipe.data, seed=stored.seed, root=places)
    ours, theirs = run.data(), identify(data)
    differing = (how_a_network_sees_them_differs if other_data else how_they_differ)(ours, theirs)
    if differing is not None:
        raise ValueError(
            f"Expected the data of the run in {run.path}, {differing}.{_way_out(ours, theirs)}"
        )
    samples = {"train": data.train, "validation": data.validation, "test": data.test}[split]
    if len(samples) == 0:
        raise ValueError(f"Expected a {split} split of the run in {run.path}, got no image.")
    accelerator = Accelerator(cpu=needs_cpu())
    model = model.to(accelerator.device).to(memory_format=torch.channels_last)
    loader = measuring_loader(data, samples, accelerator, workers=workers)
    logits, labels = predict_split(model, loader, accelerator)
    images = number_of(len(labels), "image")
    measured = f"{split} split of {_called(data, places, split)}, {images}"
    return SplitAnswers(logits, labels, data.classes, measured, model)


@dataclass(frozen=True)
class _Also:
    """What is measured beside the metrics, where it is asked for."""

    run: RunDirectory
    epoch: int | None
    workers: int
    calibrated: bool
    logit_norm: float | Literal["auto"] | None

    def measured(
        self,
        found: Evaluation,
        logits: Tensor,
        labels: Tensor,
        network: nn.Module,
        *,
        own: str | None = None,
    ) -> Evaluation:
        """Return an evaluation with it; `own` is where the run's own data lie now."""
        if self.calibrated:
            temperature, why = temperature_or_why(
                self.run, network, epoch=self.epoch, data_root=own, workers=self.workers
            )
            images = self.run.data().samples["validation"]
            told = calibration_of(logits, labels, temperature, why=why, images=images)
            found = replace(found, calibration=told)
        if self.logit_norm is None:
            return found
        if self.logit_norm != "auto":
            selective = selective_of(logits, labels, norm=self.logit_norm)
        else:
            self._check_validation()
            validation = validation_logits(self.run, network, data_root=own, workers=self.workers)
            selective = selective_of(logits, labels, norm=None, validation=validation)
        return replace(found, selective=selective)

    def _check_validation(self) -> None:
        if self.run.data().samples["validation"] == 0:
            raise ValueError(
                f"Expected `logit_norm` to be a number, since the run in {self.run.path} has no "
                "validation split to choose one on, got 'auto'."
            )


def _way_out(ours: DataIdentity, theirs: DataIdentity) -> str:
    """What to say instead, to measure a run on other data; nothing where it cannot be."""
    if how_a_network_sees_them_differs(ours, theirs) is None:
        return " To measure it on them all the same: --other-data."
    if set(theirs.classes) <= set(ours.classes):
        return " To measure it on images of its classes in a folder of their own: --on."
    return ""


def _called(data: ImageData, places: Places, split: str) -> str:
    """What people call a split's data, and where it lies."""
    if not places.is_said:
        return data.name
    where = places.root or next(iter(places.of_a_folder.values()))
    return f"{data.name} in {where} ({data.origins[split]})"


def _on(
    trained: TrainedNetwork, run: RunDirectory, place: Path, workers: int, also: _Also
) -> Evaluation:
    images = labelled_images(place, trained.classes, run=run.path)
    remarks = [f"left out, {found.words}" for found in images.left_out]
    if count := _trained_on(run, images.files):
        remarks.append(
            f"{count} of {len(images.files)} images are training images of the run, byte for byte: "
            "what is measured on them is memory"
        )
    trained.to(best_device()).network.to(memory_format=torch.channels_last)
    parts: list[Tensor] = []
    batches = read_batches(
        images.files, trained.identity, batch_size=trained.at_once, workers=workers
    )
    for batch in batches:
        for error in batch.errors.values():
            raise ValueError(error)
        shown = trained.normalise(batch.pixels.to(trained.device))
        parts.append(trained.logits(shown.contiguous(memory_format=torch.channels_last)).cpu())
    logits = torch.cat(parts).float()
    found = evaluation_of(
        logits,
        images.labels,
        trained.classes,
        measured=images.measured,
        remarks=tuple(remarks),
    )
    return also.measured(found, logits, images.labels, trained.network)


def _trained_on(run: RunDirectory, files: tuple[Path, ...]) -> int:
    """How many files are images that a run was trained on; 0 where those are not at hand."""
    stored = run.stored()
    if stored.recipe.data.name != FOLDER:
        return 0
    try:
        train = load_data(
            stored.recipe.data, seed=stored.seed, root=stored.circumstances.places
        ).train
        own = train.official
        if train.digest != run.data().digests["train"] or not isinstance(own, ImageFiles):
            return 0
    except (OSError, ValueError):
        return 0
    known = [own.root / own.paths[index] for index in train.indices.tolist()]
    return number_in_both(files, known)
