"""The temperature of a run: what its logits are divided by to be as sure as it is right."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from tfkd.calibration import fit_binary_temperature, fit_temperature
from tfkd.data import identify, load_data
from tfkd.data.identity import how_they_differ
from tfkd.data.places import Places
from tfkd.runs import RunDirectory
from tfkd.train.accelerator import needs_cpu
from tfkd.train.logits import measuring_loader, predict_split


def temperature_of(
    run: RunDirectory,
    network: nn.Module,
    *,
    epoch: int | None = None,
    data_root: str | None = None,
    workers: int = 0,
) -> float:
    """Return the temperature that was fitted on a run's validation split, or fit it now.

    It is that of `result.json`, and is fitted now for a snapshot and for a run of 0.1, whose result
    has none.

    Args:
        run: that is finished.
        network: with the weights that are meant.
        epoch: of which they are; None: the final weights.
        data_root: where its data lie, if not where it found them.
        workers: processes that decode image files; 0: this one.

    Raises:
        FileNotFoundError: if the validation images are needed and not there.
        ValueError: if it has no validation split, or the data are no longer those of the run.
    """
    result = run.result()
    if epoch is None and result is not None:
        several = None if result.multi_label is None else result.multi_label.calibrated
        for calibrated in (result.calibrated, several):
            if calibrated is not None:
                return calibrated.temperature
    logits, labels = validation_logits(run, network, data_root=data_root, workers=workers)
    if labels.ndim == 2:
        return fit_binary_temperature(logits, labels)
    return fit_temperature(logits, labels)


def temperature_or_why(
    run: RunDirectory,
    network: nn.Module,
    *,
    epoch: int | None,
    data_root: str | None,
    workers: int,
) -> tuple[float | None, str]:
    """Return what `temperature_of` does, or None and in words why there is none."""
    try:
        found = temperature_of(run, network, epoch=epoch, data_root=data_root, workers=workers)
    except (OSError, ValueError) as error:
        if run.data().samples["validation"] == 0:
            return None, "the run has no validation split, on which one would be fitted."
        return None, " ".join(str(error).split())
    return found, ""


def validation_logits(
    run: RunDirectory,
    network: nn.Module,
    *,
    data_root: str | None = None,
    workers: int = 0,
) -> tuple[Tensor, Tensor]:
    """Return logits and labels of a run's own validation split.

    Args:
        run: that is finished.
        network: with the weights that are meant.
        data_root: where its data lie, if not where it found them.
        workers: processes that decode image files; 0: this one.

    Raises:
        FileNotFoundError: if its data are not there.
        ValueError: if it has no validation split, or the data are no longer those of the run.
    """
    if run.data().samples["validation"] == 0:
        raise ValueError(
            f"Expected a run with a validation split in {run.path}, on which a temperature is "
            "fitted, got one without."
        )
    stored = run.stored()
    places = Places.of(stored.circumstances.places).moved_to(data_root)
    data = load_data(stored.recipe.data, seed=stored.seed, root=places)
    if (differing := how_they_differ(run.data(), identify(data))) is not None:
        raise ValueError(f"Expected the data of the run in {run.path}, {differing}.")
    accelerator, device = Accelerator(cpu=needs_cpu()), next(network.parameters()).device
    network.to(accelerator.device).to(memory_format=torch.channels_last)
    loader = measuring_loader(data, data.validation, accelerator, workers=workers)
    found = predict_split(network, loader, accelerator)
    network.to(device)
    return found
