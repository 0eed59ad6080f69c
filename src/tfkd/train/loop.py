"""The training loop, on Accelerate: one process, or many under `torchrun`."""

from __future__ import annotations

import contextlib
import io
import math
import os
import time
from pathlib import Path
from typing import Any, NoReturn

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, gather_object
from torch import Tensor, nn

from tfkd.data import Batch, Loader, load_data, make_loader
from tfkd.data.randomness import derive_seed
from tfkd.metrics import accuracy, all_metrics, negative_log_likelihood
from tfkd.models import create_model
from tfkd.teachers import CachedTeacher
from tfkd.train import files, sharding
from tfkd.train.checkpoint import read_checkpoint, write_checkpoint
from tfkd.train.checkpoint_clock import CheckpointClock
from tfkd.train.environment import describe_environment
from tfkd.train.evaluate import EVALUATION_BATCH, predict_split
from tfkd.train.event_writer import event_writer
from tfkd.train.mixing import mix_labels
from tfkd.train.progress import Progress, Silent
from tfkd.train.run_directory import RunDirectory, describe_data
from tfkd.train.run_lock import lock_run
from tfkd.train.schedule import learning_rate_factor
from tfkd.train.settings import OptimizerSettings, RunSettings
from tfkd.train.stopping import Agreement, Signals, end, noted_signals
from tfkd.train.teacher_cache import cached_teacher
from tfkd.train.teacher_network import check_teacher, load_teacher
from tfkd.train.tensors import save_tensors
from tfkd.train.totals import EpochTotals, Totals

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

    SIGTERM and Ctrl-C end it after the next step, with a checkpoint.

    Args:
        path: directory of the run; made if it does not exist.
        settings: all that determines the run.
        workers: processes that decode image files.
        progress: told of every step and epoch.
        checkpoint_seconds: at least this long between two checkpoints, and longer where writing
            them would take more than 2 % of the time; 0: one after every step.

    Returns:
        What `result.json` holds.

    Raises:
        RunBusyError: if another process trains it.
        ValueError: if the directory holds a run of other settings, or that other weights taught,
            or the teacher does not fit.
        FileNotFoundError: if data or teacher are not there.
        FloatingPointError: if the loss, or a weight, is no longer finite.
        KeyboardInterrupt: after Ctrl-C.
        TrainingTerminated: after SIGTERM; a `SystemExit` of code 143.
    """
    run = RunDirectory(Path(path))
    run.check(settings)
    result = run.result()
    if result is not None:
        check_teacher(run, settings)
        run.clear_finished()
        return result
    accelerator = _accelerator(settings)
    with (
        noted_signals(twice=accelerator.num_processes == 1) as signals,
        lock_run(run.path) if accelerator.is_main_process else contextlib.nullcontext(),
    ):
        # Another trainer may have begun or finished it since; all processes of this one look
        # behind the lock, and so see the same.
        accelerator.wait_for_everyone()
        run.check(settings)
        result = run.result()
        if result is not None:
            return result
        progress = progress or Silent()
        training = Training(
            run,
            settings,
            workers,
            progress=progress,
            checkpoint_seconds=checkpoint_seconds,
            signals=signals,
        )
        return training.finish(progress)


class Training:
    """The state of one run while it trains."""

    def __init__(
        self,
        run: RunDirectory,
        settings: RunSettings,
        workers: int,
        *,
        progress: Progress | None = None,
        checkpoint_seconds: float = 10.0,
        signals: Signals | None = None,
    ) -> None:
        self.run = run
        self.settings = settings
        self.workers = workers
        self.accelerator = _accelerator(settings)
        _check_sharding(self.accelerator)
        torch.backends.cudnn.deterministic = True
        self.device = self.accelerator.device
        self.data = load_data(settings.data)
        self.train_loader = self._loader(self.data.train, workers, train=True)
        if len(self.train_loader) == 0:
            raise ValueError("Expected at least 2 training images, got fewer.")
        if len(self.data.train) < self.accelerator.num_processes:
            raise ValueError(
                f"Expected at least {self.accelerator.num_processes} training images, "
                f"one for each process, got {len(self.data.train)}."
            )
        self.validation: Loader | None = None
        if len(self.data.validation) > 0:
            self.validation = self._loader(self.data.validation, workers, train=False)
        teacher_digest = check_teacher(run, settings)
        self.teacher = self._teacher(progress or Silent())
        self.criterion = settings.method.build(
            num_classes=self.data.num_classes, teacher=self.teacher
        ).to(self.device)
        torch.manual_seed(derive_seed(settings.seed, WEIGHTS))
        model = create_model(
            settings.student,
            num_classes=self.data.num_classes,
            in_channels=self.data.channels,
            pretrained=settings.pretrained,
        )
        if not self._sharded:  # FSDP takes contiguous parameters alone
            model = model.to(memory_format=torch.channels_last)
        if self.accelerator.num_processes > 1 and self.device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        self.bare_model = model
        self.model, self.optimizer = self.accelerator.prepare(
            model, _optimizer(model, settings.optimizer)
        )
        self.agreement = Agreement(self.accelerator.num_processes, wishes=3)
        self.signals = signals or Signals(twice=True)
        self.clock = CheckpointClock(checkpoint_seconds)
        self.epochs_done = 0
        self.batches_done = 0  # of the epoch that is being trained
        self.totals = EpochTotals(self.accelerator)
        self.epoch_seconds = 0.0
        self.seconds = 0.0  # of the epochs that are done
        self.history: list[dict[str, Any]] = []
        self.kept: tuple[int, int] | None = None  # epochs and batches behind the checkpoint
        self.steps_per_epoch = -(-len(self.train_loader) // settings.gradient_accumulation)
        if self.accelerator.is_main_process:
            # Only now that data and teacher were found, so that a mistake leaves nothing behind.
            run.claim(settings, teacher_digest)
            run.clear_leftovers()
            files.write_json(run.data_file, describe_data(self.data))
            files.write_json(
                run.environment_file,
                describe_environment(self.device, self.accelerator.num_processes),
            )
        if run.checkpoint_file.is_file():
            self._resume()

    @property
    def _sharded(self) -> bool:
        """Whether FSDP spreads the weights over the processes."""
        return bool(self.accelerator.is_fsdp2)

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

    def _teacher(self, progress: Progress) -> nn.Module | None:
        """The network that teaches, or what it said as a cache."""
        settings = self.settings
        if settings.teacher is None:
            return None
        model = load_teacher(settings.teacher, self.data).to(memory_format=torch.channels_last)
        if settings.teacher.cache == "none":
            return model
        return cached_teacher(
            settings,
            self.data,
            model,
            accelerator=self.accelerator,
            workers=self.workers,
            progress=progress,
        )

    def finish(self, progress: Progress) -> dict[str, Any]:
        """Train the epochs that are left, measure, and write the result."""
        settings = self.settings
        progress.start(settings.epochs, len(self.train_loader), self.epochs_done)
        with event_writer(
            self.run.path / "tensorboard",
            epochs_done=self.epochs_done,
            active=settings.tensorboard and self.accelerator.is_main_process,
        ) as write_events:
            while self.epochs_done < settings.epochs:
                record = self.epoch(progress)
                write_events(record)
                progress.epoch(record)
                if self.epochs_done in settings.save_epochs:
                    self._save_weights(self.epochs_done)
                self._between_steps()
        return self._measure()

    def epoch(self, progress: Progress) -> dict[str, Any]:
        """Train one epoch, or what is left of it, validate, and return its record."""
        self._train(progress)
        started = time.perf_counter()
        losses, correct, samples = self._finite_totals()
        self.epoch_seconds += time.perf_counter() - started
        record = {
            "epoch": self.epochs_done + 1,
            "learning_rate": self._learning_rate(self.steps_per_epoch - 1),
            "train_loss": float(losses.sum()) / samples,
            "train_accuracy": correct / samples,
            "validation_accuracy": None,
            "validation_nll": None,
            "seconds": self.epoch_seconds,
        }
        if self.validation is not None:
            logits, labels = self._predict(self.validation)
            record["validation_accuracy"] = accuracy(logits, labels)
            record["validation_nll"] = negative_log_likelihood(logits, labels)
        self.seconds += self.epoch_seconds
        self.history.append(record)
        self.epochs_done += 1
        self.batches_done = 0
        self.totals = EpochTotals(self.accelerator)
        self.epoch_seconds = 0.0
        return record

    def _train(self, progress: Progress) -> None:
        """Train the batches of the epoch that are left."""
        settings, epoch, accelerator = self.settings, self.epochs_done, self.accelerator
        started = time.perf_counter() - self.epoch_seconds
        self.model.train()
        batches = len(self.train_loader)
        trained = min(len(self.data.train), batches * settings.batch_size)
        last_size = trained - (batches - 1) * settings.batch_size
        if last_size < accelerator.num_processes:  # too few samples for every process to have one
            batches, trained = batches - 1, trained - last_size
        remaining = self.train_loader.batches(epoch, skip=self.batches_done)
        for number in range(self.batches_done, batches):
            batch = next(remaining)
            group, place = divmod(number, settings.gradient_accumulation)
            if place == 0:
                learning_rate = self._learning_rate(group)
                for parameters in self.optimizer.optimizer.param_groups:
                    parameters["lr"] = learning_rate
                self._seed(self._step_seed(group))
            first = group * settings.gradient_accumulation
            last = min(first + settings.gradient_accumulation, batches)
            group_samples = min(last * settings.batch_size, trained) - first * settings.batch_size
            ends_group = number + 1 == last
            with contextlib.nullcontext() if ends_group else accelerator.no_sync(self.model):
                logits, loss = self._forward(batch, epoch, number)
                # The mean over the samples of the step, over all its batches and processes;
                # gradients are averaged over processes.
                share = len(batch.labels) * accelerator.num_processes / group_samples
                self._backward(loss if share == 1.0 else loss * share)
            self.totals.add(loss, logits, batch.labels)
            progress.step()
            if ends_group:
                self._step()
                self.batches_done = number + 1
                self.epoch_seconds = time.perf_counter() - started
                self._between_steps()
        self.batches_done = len(self.train_loader)

    def _forward(self, batch: Batch, epoch: int, number: int) -> tuple[Tensor, Tensor]:
        settings, images, labels = self.settings, batch.images, batch.labels
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
            loss = self.criterion(logits, labels, images, indices=batch.indices, view=batch.view)
        return logits, loss

    def _seed(self, seed: int) -> None:
        """Seed the generators that the network draws from, and no others."""
        # `torch.manual_seed` seeds every kind of device, present or not, which is slow.
        torch.default_generator.manual_seed(seed)
        if self.device.type != "cpu":
            torch.get_device_module(self.device).manual_seed(seed)

    def _backward(self, loss: Tensor) -> None:
        # `Accelerator.backward` would divide by its own gradient accumulation, which is 1.
        scaler = self.accelerator.scaler
        (loss if scaler is None else scaler.scale(loss)).backward()

    def _step(self) -> None:
        if self.accelerator.scaler is not None:
            self.optimizer.step()
        else:
            # Accelerate's wrapper looks for an optional package at every step.
            self.optimizer.optimizer.step()
        self.optimizer.optimizer.zero_grad()

    def _step_seed(self, group: int) -> int:
        """Return the seed of what the network draws at a step of the epoch."""
        rank = self.accelerator.process_index
        return derive_seed(self.settings.seed, self.epochs_done, group, rank, STEP)

    def _learning_rate(self, group: int) -> float:
        """Return the learning rate of a step of the epoch."""
        factor = learning_rate_factor(
            self.epochs_done * self.steps_per_epoch + group,
            steps_per_epoch=self.steps_per_epoch,
            epochs=self.settings.epochs,
            schedule=self.settings.schedule,
        )
        return self.settings.optimizer.learning_rate * factor

    def _between_steps(self) -> None:
        """Write a checkpoint when it is time or the end is asked for; stop if the loss is bad.

        All processes do so at the same step, though one of them alone was asked or saw it.
        """
        due = self.clock.due() and self.accelerator.is_main_process
        stop, due, bad = self.agreement.exchange(self.signals.number, due, self.totals.look())
        if bad:
            self._finite_totals()
        if due or stop:
            self._checkpoint()
        if stop:
            self.agreement.settle()
            end(
                stop,
                f"stopped {self._place(self.epochs_done, self.batches_done)} of {self.run.path}",
            )

    def _place(self, epochs: int, batches: int) -> str:
        if batches == 0:
            return f"after epoch {epochs}"
        return f"after batch {batches} of {len(self.train_loader)} of epoch {epochs + 1}"

    def _measure(self) -> dict[str, Any]:
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
        if isinstance(self.teacher, CachedTeacher):
            result["teacher_cache"] = self.teacher.describe()
        if self.validation is not None:
            result["validation"] = all_metrics(*self._predict(self.validation))
        self._save_weights(None)
        if self.accelerator.is_main_process:
            save_tensors(self.run.test_file, {"logits": logits, "labels": labels})
            files.write_json_lines(self.run.metrics_file, self.history)
            self.run.finish(result)
            self.run.checkpoint_file.unlink(missing_ok=True)
        self.agreement.settle()
        self.accelerator.wait_for_everyone()
        return result

    def _predict(self, loader: Loader) -> tuple[Tensor, Tensor]:
        """Logits and labels of a split, by the same network on every process."""
        if self.accelerator.num_processes > 1:
            # Batch norm's running averages are those of each process's own samples.
            for buffer in self.bare_model.buffers():
                torch.distributed.broadcast(buffer, 0)
        return predict_split(self.bare_model, loader, self.accelerator, between=self._between_steps)

    def _save_weights(self, epoch: int | None) -> None:
        weights = sharding.whole(self.bare_model.state_dict())
        if self.accelerator.is_main_process:
            save_tensors(self.run.weights_file(epoch), weights)

    def _checkpoint(self) -> None:
        """Write what resuming needs."""
        started = time.monotonic()
        totals = self._finite_totals()
        model = sharding.whole(self.bare_model.state_dict())
        optimizer = sharding.whole(self.optimizer.optimizer.state_dict())
        scaler = self.accelerator.scaler
        self.kept = (self.epochs_done, self.batches_done)
        if self.accelerator.is_main_process:
            buffer = io.BytesIO()
            torch.save(
                {
                    "model": model,
                    "optimizer": optimizer,
                    "scaler": scaler.state_dict() if scaler is not None else None,
                    "epochs_done": self.epochs_done,
                    "batches_done": self.batches_done,
                    "totals": totals._asdict(),
                    "epoch_seconds": self.epoch_seconds,
                    "seconds": self.seconds,
                    "history": self.history,
                },
                buffer,
            )
            files.write_json_lines(self.run.metrics_file, self.history)
            write_checkpoint(self.run.checkpoint_file, buffer.getvalue())
        self.clock.written(time.monotonic() - started)

    def _resume(self) -> None:
        checkpoint = read_checkpoint(self.run.checkpoint_file)
        sharding.load_model(self.bare_model, checkpoint["model"])
        sharding.load_optimizer(self.optimizer.optimizer, checkpoint["optimizer"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(checkpoint["scaler"])
        self.epochs_done = checkpoint["epochs_done"]
        self.batches_done = checkpoint["batches_done"]
        self.totals = EpochTotals(self.accelerator, before=Totals(**checkpoint["totals"]))
        self.epoch_seconds = checkpoint["epoch_seconds"]
        self.seconds = checkpoint["seconds"]
        self.history = checkpoint["history"]
        self.kept = (self.epochs_done, self.batches_done)

    def _finite_totals(self) -> Totals:
        """Return what the epoch came to, over all processes; end the run if it is not finite.

        Raises:
            FloatingPointError: if a loss of the epoch, or a weight, is not finite.
        """
        totals = self.totals.gather()
        bad = (~totals.losses.isfinite()).nonzero()
        if len(bad) > 0:
            self._fail(f"The training loss is {float(totals.losses[bad[0]])}", int(bad[0]))
        if self.batches_done > 0:
            shares = [sharding.local(p) for p in self.bare_model.parameters()]
            largest = nn.utils.get_total_norm([t for t in shares if t.numel() > 0], math.inf)
            finite = largest.isfinite().float().to(self.device)
            if self.accelerator.reduce(finite, "sum") < self.accelerator.num_processes:
                self._fail("A weight is not finite after the step", self.batches_done - 1)
        return totals

    def _fail(self, what: str, batch: int) -> NoReturn:
        """End the run, and leave behind what reproduces the batch that ended it."""
        settings = self.settings
        group = batch // settings.gradient_accumulation
        share = next(self.train_loader.batches(self.epochs_done, skip=batch)).indices.tolist()
        indices = gather_object(share) if self.accelerator.num_processes > 1 else share
        learning_rate = self._learning_rate(group)
        kept = "there is no checkpoint yet"
        if self.kept is not None:
            kept = f"the checkpoint {self._place(*self.kept)} is kept"
        where = f"epoch {self.epochs_done + 1}, batch {batch + 1} of {len(self.train_loader)}"
        message = (
            f"{what} in {where} of {self.run.path}: seed {settings.seed}, learning rate "
            f"{learning_rate:g}, samples {', '.join(map(str, indices[:4]))}, ... "
            f"All of it is in {self.run.failure_file}; {kept}. Try a smaller learning rate."
        )
        if self.accelerator.is_main_process:
            failure = {
                "what": what,
                "epoch": self.epochs_done + 1,
                "batch": batch + 1,
                "step": self.epochs_done * self.steps_per_epoch + group + 1,
                "learning_rate": learning_rate,
                "seed": settings.seed,
                "step_seed": self._step_seed(group),
                "processes": self.accelerator.num_processes,
                "samples": indices,
                "checkpoint": None if self.kept is None else self._place(*self.kept),
            }
            files.write_json(self.run.failure_file, failure)
        self.accelerator.wait_for_everyone()
        raise FloatingPointError(message)


def _accelerator(settings: RunSettings) -> Accelerator:
    # Another run of this process may have set another precision.
    AcceleratorState._reset_state()
    # Where there is no GPU, Accelerate makes processes work together only if it is told to.
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    cpu = several and not torch.accelerator.is_available()
    return Accelerator(mixed_precision=settings.mixed_precision, cpu=cpu)


def _check_sharding(accelerator: Accelerator) -> None:
    """Refuse FSDP that is asked for where Accelerate would not do it, or would do the old one."""
    if accelerator.distributed_type == DistributedType.FSDP:
        if not accelerator.is_fsdp2:
            raise ValueError("Expected FSDP of version 2, got 1: set FSDP_VERSION=2.")
    elif os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true":
        raise ValueError(
            f"Expected several GPUs for FSDP, got {accelerator.num_processes} process(es) on "
            f"{accelerator.device.type}. Start it with torchrun, or without ACCELERATE_USE_FSDP."
        )


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
