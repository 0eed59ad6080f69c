"""The training loop, on Accelerate: one process, or many under `torchrun`."""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from tfkd.data import ImageData, Loader, load_data, make_loader
from tfkd.data.randomness import derive_seed
from tfkd.metrics import accuracy, all_metrics, negative_log_likelihood
from tfkd.models import create_model
from tfkd.train import files
from tfkd.train.checkpoint import read_checkpoint, write_checkpoint
from tfkd.train.environment import describe_environment
from tfkd.train.evaluate import EVALUATION_BATCH, predict_split
from tfkd.train.mixing import mix_labels
from tfkd.train.progress import Progress, Silent
from tfkd.train.run_directory import (
    RunDirectory,
    describe_data,
    load_teacher,
)
from tfkd.train.run_lock import lock_run
from tfkd.train.schedule import learning_rate_factor
from tfkd.train.settings import OptimizerSettings, RunSettings
from tfkd.train.tensors import save_tensors

# Purposes of random numbers, beside those of the data.
WEIGHTS, STEP, MIXING = 101, 102, 103


def train_run(
    path: Path | str,
    settings: RunSettings,
    *,
    workers: int = 0,
    progress: Progress | None = None,
    checkpoint_seconds: float = 10.0,
) -> dict[str, Any]:
    """Train one run, or finish it, or return the result of a finished one.

    Args:
        path: directory of the run; made if it does not exist.
        settings: all that determines the run.
        workers: processes that decode image files.
        progress: told of every step and epoch.
        checkpoint_seconds: at least this long between two checkpoints, which fall between epochs.

    Returns:
        What `result.json` holds.

    Raises:
        RunBusyError: if another process trains it.
        ValueError: if the directory holds a run of other settings, or the teacher does not fit.
        FileNotFoundError: if data or teacher are not there.
        FloatingPointError: if the loss is no longer finite.
    """
    run = RunDirectory(Path(path))
    run.check(settings)
    result = run.result()
    if result is not None:
        return result
    accelerator = _accelerator(settings)
    with lock_run(run.path) if accelerator.is_main_process else contextlib.nullcontext():
        # Another trainer may have begun or finished it since; all processes of this one look
        # behind the lock, and so see the same.
        accelerator.wait_for_everyone()
        run.check(settings)
        result = run.result()
        if result is not None:
            return result
        return Training(run, settings, workers).finish(progress or Silent(), checkpoint_seconds)


class Training:
    """The state of one run while it trains."""

    def __init__(self, run: RunDirectory, settings: RunSettings, workers: int) -> None:
        self.run = run
        self.settings = settings
        self.workers = workers
        self.accelerator = _accelerator(settings)
        torch.backends.cudnn.deterministic = True
        self.device = self.accelerator.device
        self.data = load_data(settings.data)
        self.train_loader = self._loader(self.data.train, workers, train=True)
        if len(self.train_loader) == 0:
            raise ValueError("Expected at least 2 training images, got fewer.")
        self.criterion = _criterion(settings, self.data).to(self.device)
        torch.manual_seed(derive_seed(settings.seed, WEIGHTS))
        model = create_model(
            settings.student,
            num_classes=self.data.num_classes,
            in_channels=self.data.channels,
            pretrained=settings.pretrained,
        ).to(memory_format=torch.channels_last)
        self.bare_model = model
        self.model, self.optimizer = self.accelerator.prepare(
            model, _optimizer(model, settings.optimizer)
        )
        self.epochs_done = 0
        self.seconds = 0.0
        self.history: list[dict[str, Any]] = []
        self.steps_per_epoch = -(-len(self.train_loader) // settings.gradient_accumulation)
        if self.accelerator.is_main_process:
            # Only now that data and teacher were found, so that a mistake leaves nothing behind.
            run.claim(settings)
            files.write_json(run.data_file, describe_data(self.data))
            files.write_json(
                run.environment_file,
                describe_environment(self.device, self.accelerator.num_processes),
            )
        if run.checkpoint_file.is_file():
            self._resume()

    def _loader(self, split: Any, workers: int, *, train: bool) -> Loader:
        return make_loader(
            self.data,
            split,
            batch_size=self.settings.batch_size if train else EVALUATION_BATCH,
            train=train,
            seed=self.settings.seed,
            rank=self.accelerator.process_index,
            world_size=self.accelerator.num_processes,
            device=self.device,
            workers=workers,
            channels_last=True,
        )

    def finish(self, progress: Progress, checkpoint_seconds: float) -> dict[str, Any]:
        """Train the epochs that are left, measure, and write the result."""
        settings = self.settings
        progress.start(settings.epochs, len(self.train_loader), self.epochs_done)
        validation = None
        if len(self.data.validation) > 0:
            validation = self._loader(self.data.validation, self.workers, train=False)
        last_checkpoint = time.monotonic()
        with _event_writer(self) as writer:
            while self.epochs_done < settings.epochs:
                record = self.epoch(progress)
                if validation is not None:
                    logits, labels = self._predict(validation)
                    record["validation_accuracy"] = accuracy(logits, labels)
                    record["validation_nll"] = negative_log_likelihood(logits, labels)
                self.epochs_done += 1
                self.history.append(record)
                writer(record)
                progress.epoch(record)
                if self.epochs_done in settings.save_epochs:
                    self._save_weights(self.epochs_done)
                if time.monotonic() - last_checkpoint >= checkpoint_seconds:
                    self._checkpoint()
                    last_checkpoint = time.monotonic()
        return self._measure(validation)

    def epoch(self, progress: Progress) -> dict[str, Any]:
        """Train one epoch and return its record."""
        settings, epoch, accelerator = self.settings, self.epochs_done, self.accelerator
        started = time.perf_counter()
        self.model.train()
        # Loss times samples, correct and samples of this process, summed on the device.
        totals = torch.zeros(3, dtype=torch.float64, device=self.device)
        batches = len(self.train_loader)
        trained = min(len(self.data.train), batches * settings.batch_size)
        learning_rate = 0.0
        for number, batch in enumerate(self.train_loader.batches(epoch)):
            group, place = divmod(number, settings.gradient_accumulation)
            if place == 0:
                step = epoch * self.steps_per_epoch + group
                learning_rate = self._set_learning_rate(step)
                torch.manual_seed(
                    derive_seed(settings.seed, epoch, group, accelerator.process_index, STEP)
                )
            first = group * settings.gradient_accumulation
            last = min(first + settings.gradient_accumulation, batches)
            group_samples = min(last * settings.batch_size, trained) - first * settings.batch_size
            progress.step()
            if batch.global_size < accelerator.num_processes:
                continue  # too few samples for every process to have one
            ends_group = number + 1 == last
            with contextlib.ExitStack() as stack:
                if not ends_group:
                    stack.enter_context(accelerator.no_sync(self.model))
                logits, loss = self._forward(batch.images, batch.labels, epoch, number)
                # The mean over the samples of the step, over all its batches and processes;
                # gradients are averaged over processes.
                share = len(batch.labels) * accelerator.num_processes / group_samples
                accelerator.backward(loss * share)
            if ends_group:
                self.optimizer.step()
                self.optimizer.zero_grad()
            with torch.no_grad():
                correct = (logits.argmax(1) == batch.labels).sum()
                count = torch.full_like(totals[0], len(batch.labels))
                totals += torch.stack([loss.detach().double() * count, correct.double(), count])
        loss_sum, correct_sum, samples = accelerator.reduce(totals, "sum").tolist()
        seconds = time.perf_counter() - started
        self.seconds += seconds
        if not torch.isfinite(torch.tensor(loss_sum)):
            raise FloatingPointError(
                f"The training loss is {loss_sum / samples} in epoch {epoch + 1} of "
                f"{self.run.path}. Try a smaller learning rate."
            )
        return {
            "epoch": epoch + 1,
            "learning_rate": learning_rate,
            "train_loss": loss_sum / samples,
            "train_accuracy": correct_sum / samples,
            "validation_accuracy": None,
            "validation_nll": None,
            "seconds": seconds,
        }

    def _forward(
        self, images: Tensor, labels: Tensor, epoch: int, number: int
    ) -> tuple[Tensor, Tensor]:
        settings = self.settings
        if settings.mixup > 0.0 or settings.cutmix > 0.0:
            images, labels = mix_labels(
                images,
                labels,
                num_classes=self.data.num_classes,
                mixup=settings.mixup,
                cutmix=settings.cutmix,
                seed=derive_seed(settings.seed, epoch, number, MIXING),
            )
        logits = self.model(images)
        with self.accelerator.autocast():
            return logits, self.criterion(logits, labels, images)

    def _set_learning_rate(self, step: int) -> float:
        factor = learning_rate_factor(
            step,
            steps_per_epoch=self.steps_per_epoch,
            epochs=self.settings.epochs,
            schedule=self.settings.schedule,
        )
        learning_rate = self.settings.optimizer.learning_rate * factor
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        return learning_rate

    def _measure(self, validation: Loader | None) -> dict[str, Any]:
        """Touch the test split, once, and write the weights and the result."""
        test = self._loader(self.data.test, self.workers, train=False)
        logits, labels = self._predict(test)
        result = {
            "test": all_metrics(logits, labels),
            "validation": None,
            "train": {
                "loss": self.history[-1]["train_loss"],
                "accuracy": self.history[-1]["train_accuracy"],
            },
            "epochs": self.epochs_done,
            "seconds": self.seconds,
            "samples": {
                "train": len(self.data.train),
                "validation": len(self.data.validation),
                "test": len(self.data.test),
            },
            "parameters": sum(p.numel() for p in self.bare_model.parameters()),
        }
        if validation is not None:
            predicted = self._predict(validation)
            result["validation"] = all_metrics(*predicted)
        if self.accelerator.is_main_process:
            save_tensors(self.run.test_file, {"logits": logits, "labels": labels})
            self._save_weights(None)
            files.write_json_lines(self.run.metrics_file, self.history)
            self.run.finish(result)
            self.run.checkpoint_file.unlink(missing_ok=True)
        self.accelerator.wait_for_everyone()
        return result

    def _predict(self, loader: Loader) -> tuple[Tensor, Tensor]:
        """Logits and labels of a split, by the same network on every process."""
        if self.accelerator.num_processes > 1:
            # Batch norm's running averages are those of each process's own samples.
            for buffer in self.bare_model.buffers():
                torch.distributed.broadcast(buffer, 0)
        return predict_split(self.bare_model, loader, self.accelerator)

    def _save_weights(self, epoch: int | None) -> None:
        if self.accelerator.is_main_process:
            save_tensors(self.run.weights_file(epoch), self.bare_model.state_dict())

    def _checkpoint(self) -> None:
        """Write what resuming needs."""
        if not self.accelerator.is_main_process:
            return
        buffer = io.BytesIO()
        scaler = self.accelerator.scaler
        torch.save(
            {
                "model": self.bare_model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scaler": scaler.state_dict() if scaler is not None else None,
                "epochs_done": self.epochs_done,
                "seconds": self.seconds,
                "history": self.history,
            },
            buffer,
        )
        files.write_json_lines(self.run.metrics_file, self.history)
        write_checkpoint(self.run.checkpoint_file, buffer.getvalue())

    def _resume(self) -> None:
        checkpoint = read_checkpoint(self.run.checkpoint_file)
        self.bare_model.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(checkpoint["scaler"])
        self.epochs_done = checkpoint["epochs_done"]
        self.seconds = checkpoint["seconds"]
        self.history = checkpoint["history"]


def _accelerator(settings: RunSettings) -> Accelerator:
    # Another run of this process may have set another precision.
    AcceleratorState._reset_state()
    return Accelerator(mixed_precision=settings.mixed_precision)


def _criterion(settings: RunSettings, data: ImageData) -> nn.Module:
    teacher = None if settings.teacher is None else load_teacher(settings.teacher, data)
    if teacher is not None:
        teacher = teacher.to(memory_format=torch.channels_last)
    return settings.method.build(num_classes=data.num_classes, teacher=teacher)


def _optimizer(model: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    if settings.name == "adamw":
        return torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
    return torch.optim.SGD(
        model.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
    )


@contextlib.contextmanager
def _event_writer(training: Training) -> Any:
    """Yield what is called with the record of each epoch: TensorBoard's writer, or nothing."""
    if not training.settings.tensorboard or not training.accelerator.is_main_process:
        yield lambda record: None
        return
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(
        str(training.run.path / "tensorboard"), purge_step=training.epochs_done + 1
    )

    def write(record: dict[str, Any]) -> None:
        for name, value in record.items():
            if name != "epoch" and value is not None:
                writer.add_scalar(name, value, record["epoch"])

    try:
        yield write
    finally:
        writer.close()
