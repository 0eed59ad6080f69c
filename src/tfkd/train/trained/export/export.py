"""A run's network, taken elsewhere: written, checked, and only then there."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import torch

from tfkd._checks import check_choice, check_integer
from tfkd._few_images import LEAST
from tfkd.runs import files
from tfkd.train.trained.export.description import preprocessing, readme
from tfkd.train.trained.export.format import Format
from tfkd.train.trained.export.preparing import FILE, check_prepared, prepare_text
from tfkd.train.trained.network import TrainedNetwork, load

FormatName: TypeAlias = Literal["safetensors", "torch-export", "onnx"]
FORMATS: tuple[FormatName, ...] = ("safetensors", "torch-export", "onnx")
BATCHES = (1, 3)
"""Numbers of images that are checked; there may be any."""
TOLERANCE = 1e-4
"""By which logits may differ, in parts of the largest of them, or of 1 if that is larger."""


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        folder: in which it lies.
        file: that holds the network.
        difference: the largest of any logit between what was written and the network.
        allowed: that it may have been.
        fitted_on: images of the validation split, on which a temperature is fitted.
        temperature: that was written; None: there is none, or it was fitted on too few.
    """

    folder: Path
    file: Path
    difference: float
    allowed: float
    fitted_on: int
    temperature: float | None


def export_run(
    run: Path | str,
    *,
    format: FormatName,
    out: Path | str,
    epoch: int | None = None,
    least_images: int = LEAST,
) -> Exported:
    """Write a run's network in a format that other programs read, and check that they read it.

    `out` holds the network, `prepare.py` (how an image is prepared for it, by Pillow alone),
    `preprocessing.json`, `classes.json`, `model.json` (what it is, and was measured to be, with the
    temperature that was fitted on its validation split) and `README.txt` (the lines that load it).
    The check loads what was written, by whom it is written for, compares the logits of batches of
    one and three images, and the pixels of images that are transparent, turned and of 16 bits.
    Where it fails, nothing is left behind.

    Args:
        run: directory of a finished run.
        format: `safetensors`: weights alone, for timm's networks as timm loads them;
            `torch-export`: a program for plain torch; `onnx`: a graph for onnxruntime and others.
        out: folder to make; it may be there, if it is empty.
        epoch: the snapshot kept after this epoch; None: the final weights.
        least_images: of the validation split, from which its temperature is written.

    Raises:
        FileNotFoundError: if there is no such run, or it has no such weights.
        ModuleNotFoundError: if a package is missing, with the line that installs it.
        ValueError: if `out` holds something, the format cannot hold the network, or what was
            written answers otherwise.
    """
    check_choice("format", format, FORMATS)
    check_integer("least_images", least_images, minimum=1)
    out, kind = Path(out), _format(format)
    kind.check()
    _check_free(out)
    trained = load(run, epoch)
    place = out.resolve() if out.is_symlink() else out.absolute()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(".tmp", f".{place.name}.", place.parent))
    except OSError as error:
        raise files.no_folder(out, error) from error
    try:
        kind.write(trained, folder)
        difference, allowed = check(kind, trained, folder)
        temperature = _temperature(trained, least_images)
        _describe(trained, kind, folder, temperature, difference, allowed)
        check_prepared(trained, folder)
        folder.chmod(0o755)
        folder.replace(place)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Exported(out, out / kind.file, difference, allowed, trained.fitted_on, temperature)


def check(kind: Format, trained: TrainedNetwork, folder: Path) -> tuple[float, float]:
    """Return by how much the logits of what was written differ, and may; `ValueError` beyond it.

    Args:
        kind: of what was written.
        trained: the network, on the CPU.
        folder: in which it was written.
    """
    size, channels = trained.identity.image_size, trained.identity.channels
    noise = torch.Generator().manual_seed(0)
    shape = (max(BATCHES), channels, size, size)
    images = trained.normalise(torch.randint(0, 256, shape, generator=noise, dtype=torch.uint8))
    difference, allowed = 0.0, TOLERANCE
    for number in BATCHES:
        wanted = trained.logits(images[:number])
        allowed = max(allowed, TOLERANCE * wanted.abs().max().item())
        for got in kind.logits(trained, folder, images[:number]):
            if got.shape != wanted.shape:
                raise ValueError(
                    f"Expected logits of shape {tuple(wanted.shape)} from the exported network, "
                    f"got {tuple(got.shape)}."
                )
            beside = (got - wanted).abs().max().item()
            if not beside <= allowed:  # NaN is not
                raise ValueError(
                    f"Expected the logits of the exported network within {allowed:.2g} of the "
                    f"run's, got {beside:.2g} beside them. Nothing was written."
                )
            difference = max(difference, beside)
    return difference, allowed


def _check_free(out: Path) -> None:
    if out.is_symlink() and not out.exists():
        raise ValueError(
            f"Expected `out` to be a new or empty folder, got {out}: it is a link to a place that "
            "is not there."
        )
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if not out.is_dir() or any(out.iterdir()):
            out.stat()
            raise ValueError(f"Expected `out` to be a new or empty folder, got {out}.")


def _format(name: FormatName) -> Format:
    if name == "onnx":
        from tfkd.train.trained.export.onnx import Onnx

        return Onnx()
    if name == "torch-export":
        from tfkd.train.trained.export.torch_export import TorchExport

        return TorchExport()
    from tfkd.train.trained.export.safetensors import Safetensors

    return Safetensors()


def _temperature(trained: TrainedNetwork, least_images: int) -> float | None:
    """The network's temperature; None where none can be had, or by fewer images."""
    with contextlib.suppress(OSError, ValueError):
        return trained.checked_temperature(least_images)
    return None


def _describe(
    trained: TrainedNetwork,
    kind: Format,
    folder: Path,
    temperature: float | None,
    difference: float,
    allowed: float,
) -> None:
    """Write what lies beside the network."""
    result = trained.run.result() if trained.run is not None and trained.epoch is None else None
    several = trained.recipe.data.several_labels
    measured = result.multi_label if several and result is not None else result
    calibrated = None if measured is None or temperature is None else measured.calibrated
    files.write_json(folder / "preprocessing.json", preprocessing(trained.identity))
    files.write_json(folder / "classes.json", trained.classes)
    files.write_json(
        folder / "model.json",
        {
            "file": kind.file,
            "student": trained.recipe.student,
            "classes": len(trained.classes),
            **({"several_labels": True} if several else {}),
            "parameters": sum(p.numel() for p in trained.network.parameters()),
            "data": trained.identity.name,
            "epoch": trained.epoch or trained.recipe.epochs,
            "test": None if measured is None else measured.test,
            "temperature": temperature,
            "temperature_fitted_on": trained.fitted_on,
            "calibrated_test": None if calibrated is None else calibrated.test,
            "torch": str(torch.__version__),
            "checked": {
                "batches": BATCHES,
                "largest_difference_of_logits": difference,
                "allowed": allowed,
            },
        },
    )
    files.write_text(folder / FILE, prepare_text())
    text = readme(trained, kind.file, kind.lines(trained))
    files.write_text(folder / "README.txt", text)
