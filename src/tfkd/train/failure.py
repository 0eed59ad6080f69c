"""Losses and weights that are not finite: found, and reported with what reproduces them."""

from __future__ import annotations

import math
from typing import NoReturn

from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn

from tfkd.data import Loader
from tfkd.runs import files
from tfkd.runs.contents import Failure
from tfkd.runs.directory import RunDirectory
from tfkd.runs.settings import RunSettings
from tfkd.train import sharding
from tfkd.train.checkpoint.state import TrainingState
from tfkd.train.seeds import step_seed
from tfkd.train.step.learning_rate import learning_rate
from tfkd.train.step.plan import StepPlan


def find_not_finite(
    losses: Tensor, network: nn.Module, accelerator: Accelerator, *, batches_done: int
) -> tuple[str, int] | None:
    """Return what is not finite, in words, and the batch of the epoch where; None if all is.

    All processes must call it.

    Args:
        losses: (batches,) of the epoch so far, over all processes.
        network: that is trained.
        accelerator: of the run.
        batches_done: batches that were trained, behind the last step of the epoch.
    """
    bad = (~losses.isfinite()).nonzero()
    if len(bad) > 0:
        return f"The training loss is {float(losses[bad[0]])}", int(bad[0])
    if batches_done > 0:
        shares = [sharding.local(p) for p in network.parameters()]
        largest = nn.utils.get_total_norm([t for t in shares if t.numel() > 0], math.inf)
        finite = largest.isfinite().float().to(accelerator.device)
        if accelerator.reduce(finite, "sum") < accelerator.num_processes:
            return "A weight is not finite after the step", batches_done - 1
    return None


def fail(
    what: str,
    batch: int,
    *,
    run: RunDirectory,
    settings: RunSettings,
    state: TrainingState,
    plan: StepPlan,
    loader: Loader,
    accelerator: Accelerator,
) -> NoReturn:
    """End the run, and leave behind what reproduces the batch that ended it.

    All processes must call it.

    Args:
        what: is not finite.
        batch: of the epoch that is being trained, or was last.
        run: whose directory gets `failure.json`.
        settings: of the run.
        state: of the run.
        plan: of its epochs.
        loader: of its training split.
        accelerator: of the run.

    Raises:
        FloatingPointError: always.
    """
    # The test split is looked at behind the last epoch.
    epoch = min(state.epochs_done, settings.recipe.epochs - 1)
    step = batch // settings.recipe.gradient_accumulation
    share = next(loader.batches(epoch, skip=batch)).indices.tolist()
    indices = gather_object(share) if accelerator.num_processes > 1 else share
    rate = learning_rate(settings, epoch=epoch, step=step, steps_per_epoch=plan.steps)
    checkpoint = None if state.kept is None else plan.name(*state.kept)
    kept = "there is no checkpoint yet"
    if checkpoint is not None:
        kept = f"the checkpoint {checkpoint} is kept"
    where = f"epoch {epoch + 1}, batch {batch + 1} of {plan.batches}"
    message = (
        f"{what} in {where} of {run.path}: seed {settings.seed}, learning rate "
        f"{rate:g}, samples {', '.join(map(str, indices[:4]))}, ... "
        f"All of it is in {run.failure_file}; {kept}. Try a smaller learning rate."
    )
    if accelerator.is_main_process:
        failure = Failure(
            what=what,
            epoch=epoch + 1,
            batch=batch + 1,
            step=epoch * plan.steps + step + 1,
            learning_rate=rate,
            seed=settings.seed,
            step_seed=step_seed(
                settings.seed,
                epoch=epoch,
                step=step,
                rank=accelerator.process_index,
            ),
            processes=accelerator.num_processes,
            samples=indices,
            checkpoint=checkpoint,
        )
        files.write_json(run.failure_file, failure)
    accelerator.wait_for_everyone()
    raise FloatingPointError(message)
