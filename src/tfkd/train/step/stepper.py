"""One step of the optimiser: forward, backward, and the step itself."""

from __future__ import annotations

import contextlib

import torch
from accelerate import Accelerator
from torch import Tensor

from tfkd.data import ImageBatch
from tfkd.loss import Criterion
from tfkd.runs.settings import RunSettings
from tfkd.train.compiled import compiled, of_this_size
from tfkd.train.remembered import remembered
from tfkd.train.seeds import epoch_end_seed, mixing_seed, step_seed
from tfkd.train.step.mixing import mix_labels
from tfkd.train.step.plan import Place
from tfkd.train.step.telling import share_buffers
from tfkd.train.student import Student


class Stepper:
    """Takes steps, in the precision of a run and with its random numbers.

    Args:
        student: that is trained.
        criterion: its loss.
        settings: of the run.
        accelerator: of the run.
        num_classes: of its data.
    """

    def __init__(
        self,
        student: Student,
        criterion: Criterion,
        settings: RunSettings,
        accelerator: Accelerator,
        *,
        num_classes: int,
    ) -> None:
        self._student = student
        self._criterion = criterion
        self._settings = settings
        self._accelerator = accelerator
        self._num_classes = num_classes
        self._partners = settings.method.row.partners
        self._pass, self._pass_both = self._passed, self._passed_both
        if settings.recipe.compile:
            self._pass, self._pass_both = compiled(self._passed), compiled(self._passed_both)
        self._sizes: set[tuple[int, int | None]] = set()

    def begin(self, learning_rate: float, *, epoch: int, step: int) -> None:
        """Begin a step of an epoch."""
        for parameters in self._student.optimizer.optimizer.param_groups:
            parameters["lr"] = learning_rate * parameters.get("lr_scale", 1.0)
        rank = self._accelerator.process_index
        self._seed(step_seed(self._settings.seed, epoch=epoch, step=step, rank=rank))

    def compiles(self, batch: ImageBatch) -> bool:
        """Return whether a batch is the first of its size for which code is made."""
        if not self._settings.recipe.compile:
            return False
        before = None if batch.partners is None else len(batch.partners.labels)
        size = len(batch.labels), before
        is_new = size not in self._sizes
        self._sizes.add(size)
        return is_new

    def add(self, batch: ImageBatch, place: Place, *, epoch: int) -> tuple[Tensor, Tensor]:
        """Add the gradients of a batch; return its logits `(n, K)` and mean loss.

        Where the last batch is shown once more, the logits are those of the new samples, and the
        loss is what is minimised: the mean over the rows of both.
        """
        model, accelerator = self._student.model, self._accelerator
        with contextlib.nullcontext() if place.ends else accelerator.no_sync(model):
            logits, loss = self._forward(batch, place, epoch)
            # The mean over the samples of the step, over all its batches and processes;
            # gradients are averaged over processes.
            share = len(batch.labels) * accelerator.num_processes / place.samples
            self._backward(loss if share == 1.0 else loss * share)
        return logits, loss

    def end(self, *, number: int) -> None:
        """Change the weights, and take them into their average.

        Args:
            number: of the step in the run, from 1.
        """
        student, optimizer = self._student, self._student.optimizer
        largest = self._settings.recipe.clip_gradients
        if largest > 0.0:  # of all batches and processes; Accelerate takes the scale of fp16 off
            self._accelerator.clip_grad_norm_(student.model.parameters(), largest)
        if self._accelerator.scaler is not None:
            optimizer.step()
        else:
            # Accelerate's wrapper looks for an optional package at every step.
            optimizer.optimizer.step()
        optimizer.optimizer.zero_grad()
        if student.average is not None:
            student.average.update(student.network, step=number)
        if not optimizer.step_was_skipped:  # by the scaler of fp16: nothing has changed
            share_buffers(student.network, self._criterion)
            self._criterion.step_ended(student.network)

    def end_epoch(self, epoch: int) -> None:
        """Tell the loss that an epoch, numbered from 0, has ended.

        What it draws then is the same whatever was measured, or interrupted, before.
        """
        if remembered(self._criterion):
            self._seed(epoch_end_seed(self._settings.seed, epoch=epoch))
        self._criterion.epoch_ended()

    def _seed(self, seed: int) -> None:
        """Seed the generators that the network draws from, and no others."""
        # `torch.manual_seed` seeds every kind of device, present or not, which is slow.
        torch.default_generator.manual_seed(seed)
        device = self._accelerator.device
        if device.type != "cpu":
            torch.get_device_module(device).manual_seed(seed)

    def _forward(self, batch: ImageBatch, place: Place, epoch: int) -> tuple[Tensor, Tensor]:
        settings, images, labels = self._settings, batch.images, batch.labels
        if settings.recipe.mixup > 0.0 or settings.recipe.cutmix > 0.0:
            images, labels = mix_labels(
                images,
                labels,
                num_classes=self._num_classes,
                mixup=settings.recipe.mixup,
                cutmix=settings.recipe.cutmix,
                seed=mixing_seed(settings.seed, epoch=epoch, batch=place.batch),
            )
        last = batch.partners if self._partners == "the last batch" else None
        inputs = images if batch.partners is None else batch.partners.images
        if settings.recipe.compile:
            of_this_size(images, labels, inputs, batch.indices)
        with self._accelerator.autocast():
            if last is not None:
                return self._pass_both(
                    batch.images,
                    last.images,
                    torch.cat([last.labels, batch.labels]),
                    torch.cat([last.indices, batch.indices]),
                )
            return self._pass(images, labels, inputs, batch.indices, batch.view)

    def _passed(
        self, images: Tensor, labels: Tensor, inputs: Tensor, indices: Tensor, view: int
    ) -> tuple[Tensor, Tensor]:
        logits = self._student.model(images)
        return logits, self._criterion(logits, labels, inputs, indices=indices, view=view)

    def _passed_both(
        self, images: Tensor, last_images: Tensor, labels: Tensor, indices: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pass the new batch through the network and then the last one, each by itself.

        Which of the two moves the averages of batch norm last is as in the code of the source.
        """
        logits: Tensor = self._student.model(images)
        # Past DDP, which would hand the buffers round before it, that the first is still to be
        # differentiated with; the gradients of both meet in the same parameters.
        before = self._student.network(last_images)
        return logits, self._criterion(torch.cat([before, logits]), labels, indices=indices)

    def _backward(self, loss: Tensor) -> None:
        # `Accelerator.backward` would divide by its own gradient accumulation, which is 1.
        scaler = self._accelerator.scaler
        (loss if scaler is None else scaler.scale(loss)).backward()
