"""The training loop, on Accelerate: one process, or many under `torchrun`."""

from __future__ import annotations

import math
import time
from typing import NoReturn

import torch
from accelerate import Accelerator
from torch import Tensor

from tfkd.data import Loader, identify, load_data
from tfkd.runs import (
    Circumstances,
    EpochRecord,
    Result,
    RunDirectory,
    RunSettings,
    files,
)
from tfkd.runs.environment import describe_environment
from tfkd.runs.overwriting import remove_run
from tfkd.runs.tensors import save_tensors
from tfkd.train import sharding
from tfkd.train.checkpoint.clock import CheckpointClock
from tfkd.train.checkpoint.file import write_checkpoint
from tfkd.train.checkpoint.resume import checkpoint_of, resume
from tfkd.train.checkpoint.state import TrainingState
from tfkd.train.compiled import check_alone, check_compiles
from tfkd.train.continuation import check_data
from tfkd.train.event_writer import check_event_writer, event_writer
from tfkd.train.failure import fail, find_not_finite
from tfkd.train.freezing import count_parameters
from tfkd.train.lesson import make_lesson
from tfkd.train.logits import measuring_loader
from tfkd.train.measure import are_measurable, nll_of, predict, result_of, seen_of
from tfkd.train.memory import check_memory, check_remembered
from tfkd.train.progress import Beginning, Progress
from tfkd.train.smallest_share import smallest_share
from tfkd.train.step.learning_rate import learning_rate
from tfkd.train.step.plan import StepPlan, check_partners
from tfkd.train.step.stepper import Stepper
from tfkd.train.step.totals import EpochTotals, Totals
from tfkd.train.stopping import Agreement, Signals, end
from tfkd.train.student import make_student
from tfkd.train.teacher_cache import check_cached_classes
from tfkd.train.teacher_network import check_teacher, digest_of_teacher
from tfkd.train.weights.start import check_start, digest_of_start


class Training:
    """One run while it trains.

    Args:
        run: its directory, held by this process.
        settings: all that changes its numbers.
        circumstances: where and how it is made.
        accelerator: its processes, device and precision.
        progress: told of every step and epoch.
        signals: that may ask for an end.
        overwrite: as of `train_run`.
        other_data: as of `train_run`.
    """

    def __init__(
        self,
        run: RunDirectory,
        settings: RunSettings,
        circumstances: Circumstances,
        accelerator: Accelerator,
        *,
        progress: Progress,
        signals: Signals,
        overwrite: bool,
        other_data: bool,
    ) -> None:
        self.run, self.settings, self.circumstances = run, settings, circumstances
        self.accelerator, self.progress, self.signals = accelerator, progress, signals
        torch.backends.cudnn.deterministic = True
        # All that may be wrong is found before anything is written.
        progress.doing("reading the data")
        data = load_data(settings.recipe.data, seed=settings.seed, root=circumstances.places)
        identity, start_digest = identify(data), digest_of_start(settings)
        teacher_digest = digest_of_teacher(settings)
        if not overwrite:
            check_data(run, identity, other_data=other_data)
            check_teacher(run, settings)
            check_start(run, settings)
        settings.method.check(data.num_classes, several_labels=data.several_labels)
        check_cached_classes(settings.teacher, data)
        if settings.recipe.compile:
            check_alone(accelerator)
            progress.doing("looking for a compiler")
            check_compiles(accelerator.device)
        check_memory(settings.recipe, data)
        check_remembered(settings.method, data)
        if circumstances.tensorboard:
            check_event_writer()
        progress.doing(f"making {settings.recipe.student}")
        self.student = make_student(settings, data, accelerator)
        share = smallest_share(
            self.student.network,
            settings.recipe,
            data,
            processes=accelerator.num_processes,
            device=accelerator.device,
            still=self.student.still,
        )
        counts = count_parameters(self.student.network)
        progress.found(Beginning(data, settings, circumstances, *counts))
        if self.student.remark is not None:
            progress.remark(self.student.remark)
        self.lesson = make_lesson(
            settings,
            data,
            accelerator,
            student=self.student.network,
            workers=circumstances.workers,
            progress=progress,
            other_data=other_data,
        )
        self.plan = StepPlan(
            samples=len(data.train),
            batches=len(self.lesson.train),
            batch_size=settings.recipe.batch_size,
            accumulation=settings.recipe.gradient_accumulation,
            processes=accelerator.num_processes,
            smallest_share=share,
        )
        check_partners(settings, self.plan)
        self.stepper = Stepper(
            self.student,
            self.lesson.criterion,
            settings,
            accelerator,
            num_classes=data.num_classes,
        )
        self.agreement = Agreement(accelerator.num_processes, wishes=3)
        self.clock = CheckpointClock(circumstances.checkpoint_seconds)
        self.state = TrainingState(EpochTotals(accelerator))
        goes_on = run.checkpoint_file.is_file() and not overwrite
        if goes_on:
            self.state = resume(
                run.checkpoint_file,
                self.student,
                self.lesson.criterion,
                accelerator,
                plan=self.plan,
                epochs=settings.recipe.epochs,
            )
        if accelerator.is_main_process:
            if not goes_on:
                remove_run(run)  # what was trained there anew, or is left of what failed
            environment = describe_environment(accelerator.device, accelerator.num_processes)
            run.claim(
                settings,
                circumstances,
                identity,
                environment,
                teacher_digest=teacher_digest,
                start_digest=start_digest,
            )

    def finish(self) -> Result:
        """Train the epochs that are left, measure, and write the result."""
        settings, state = self.settings, self.state
        self.signals.wait()
        self.signals.tell = self.progress.doing
        self.progress.start(settings.recipe.epochs, self.plan.batches, state.epochs_done)
        with event_writer(
            self.run.tensorboard_folder,
            epochs_done=state.epochs_done,
            active=self.circumstances.tensorboard and self.accelerator.is_main_process,
        ) as write_events:
            while state.epochs_done < settings.recipe.epochs:
                record = self._epoch()
                write_events(record)
                self.progress.epoch(record)
                if state.epochs_done in self.circumstances.save_epochs:
                    self._save_weights(state.epochs_done)
                self._between_steps()
        return self._measure()

    def _epoch(self) -> EpochRecord:
        """Train one epoch, or what is left of it, validate, and return its record."""
        state = self.state
        self._train()
        started = time.perf_counter()
        losses, correct, samples = self._finite_totals()
        state.epoch_seconds += time.perf_counter() - started
        seconds = state.epoch_seconds
        validation_accuracy = validation_nll = precision = None
        if self.lesson.validation is not None and self._validates(state.epochs_done + 1):
            self.progress.doing("measuring the validation split")
            logits, labels = self._predict(self.lesson.validation, "validation")
            validation_accuracy, validation_nll, precision = seen_of(logits, labels)
        record = EpochRecord(
            epoch=state.epochs_done + 1,
            learning_rate=self._learning_rate(self.plan.steps - 1),
            train_loss=float(losses.sum()) / samples,
            train_accuracy=correct / samples,
            validation_accuracy=validation_accuracy,
            validation_nll=validation_nll,
            seconds=seconds,
            validation_mean_average_precision=precision,
        )
        # No checkpoint may come between the two, nor the one without the other.
        self.stepper.end_epoch(state.epochs_done)
        state.end_epoch(record, EpochTotals(self.accelerator))
        return record

    def _train(self) -> None:
        """Train the batches of the epoch that are left."""
        state, stepper, epoch = self.state, self.stepper, self.state.epochs_done
        started = time.perf_counter() - state.epoch_seconds
        self.student.train()
        remaining = self.lesson.train.batches(epoch, skip=state.batches_done)
        for place in self.plan.places(state.batches_done):
            batch = next(remaining)
            if place.begins:
                stepper.begin(self._learning_rate(place.step), epoch=epoch, step=place.step)
            if stepper.compiles(batch):
                self.progress.compiling()
            logits, loss = stepper.add(batch, place, epoch=epoch)
            state.totals.add(loss, logits, batch.labels)
            self.progress.step()
            if place.ends:
                stepper.end(number=epoch * self.plan.steps + place.step + 1)
                done = place.batch + 1
                # Behind the last step all are done, also a batch that is too small to be trained.
                state.batches_done = self.plan.batches if done == self.plan.trained else done
                state.epoch_seconds = time.perf_counter() - started
                self._between_steps()
                self.progress.batch(done, state.totals.mean_loss)
        state.batches_done = self.plan.batches

    def _learning_rate(self, step: int) -> float:
        """Return the learning rate of a step of the epoch."""
        return learning_rate(
            self.settings,
            epoch=self.state.epochs_done,
            step=step,
            steps_per_epoch=self.plan.steps,
        )

    def _validates(self, epoch: int) -> bool:
        """Return whether the validation split is looked at after an epoch, counted from 1."""
        every = self.circumstances.validate_every
        return epoch == self.settings.recipe.epochs or (every > 0 and epoch % every == 0)

    def _between_steps(self) -> None:
        """Write a checkpoint when it is time or the end is asked for; stop if the loss is bad.

        All processes do so at the same step, though one of them alone was asked or saw it.
        """
        state = self.state
        due = self.clock.due() and self.accelerator.is_main_process
        stop, due, bad = self.agreement.exchange(self.signals.asked(), due, state.totals.look())
        if bad:
            self._finite_totals()
        if due or stop:
            self._checkpoint()
        if stop:
            self.agreement.close()
            place = self.plan.name(state.epochs_done, state.batches_done)
            end(stop, f"stopped {place} of {self.run.path}")

    def _finite_totals(self) -> Totals:
        """Return what the epoch came to, over all processes; end the run if it is not finite.

        Raises:
            FloatingPointError: if a loss of the epoch, or a weight, is not finite.
        """
        state, accelerator = self.state, self.accelerator
        totals = state.totals.gather()
        found = find_not_finite(
            totals.losses,
            self.student.network,
            accelerator,
            batches_done=min(state.batches_done, self.plan.trained),
        )
        if found is not None:
            self._fail(*found)
        return totals

    def _fail(self, what: str, batch: int) -> NoReturn:
        """End the run: something is not finite, behind a batch of the epoch."""
        fail(
            what,
            batch,
            run=self.run,
            settings=self.settings,
            state=self.state,
            plan=self.plan,
            loader=self.lesson.train,
            accelerator=self.accelerator,
        )

    def _checkpoint(self) -> None:
        """Write what resuming needs."""
        state, started = self.state, time.monotonic()
        totals = self._finite_totals()
        criterion = self.lesson.criterion
        checkpoint = checkpoint_of(self.student, criterion, state, totals, self.accelerator)
        state.kept = (state.epochs_done, state.batches_done)
        if self.accelerator.is_main_process:
            files.write_json_lines(self.run.metrics_file, state.history)
            write_checkpoint(self.run.checkpoint_file, checkpoint)
        self.clock.written(time.monotonic() - started)

    def _predict(self, loader: Loader, split: str) -> tuple[Tensor, Tensor]:
        """Return logits and labels of a split; end the run if those are none that metrics take."""
        network, accelerator = self.student.measured, self.accelerator
        logits, labels = predict(network, loader, accelerator, between=self._between_steps)
        if not are_measurable(logits, labels):
            what = f"A logit of the {split} split is not finite after the step"
            self._fail(what, self.plan.trained - 1)
        if not math.isfinite(nll := nll_of(logits, labels)):
            what = f"The NLL of the {split} split is {nll} after the step"
            self._fail(what, self.plan.trained - 1)
        return logits, labels

    def _save_weights(self, epoch: int | None) -> None:
        weights = sharding.whole(self.student.measured.state_dict())
        if self.accelerator.is_main_process:
            save_tensors(self.run.weights_file(epoch), weights)

    def _measure(self) -> Result:
        """Touch the test split, once, if at all, and write the weights and the result."""
        lesson, state, accelerator = self.lesson, self.state, self.accelerator
        data, validation = lesson.data, lesson.validation
        workers = self.circumstances.workers
        test = None
        if self.circumstances.measure_test:
            self.progress.doing("measuring the test split")
            loader = measuring_loader(data, data.test, accelerator, workers=workers)
            test = self._predict(loader, "test")
        result = result_of(
            lesson,
            self.student.network,
            state,
            test=test,
            validation=None if validation is None else self._predict(validation, "validation"),
        )
        self._save_weights(None)
        if accelerator.is_main_process:
            if test is not None:
                save_tensors(self.run.test_file, dict(zip(("logits", "labels"), test, strict=True)))
            files.write_json_lines(self.run.metrics_file, state.history)
            self.run.finish(result)
            self.run.checkpoint_file.unlink(missing_ok=True)
        self.agreement.close()
        accelerator.wait_for_everyone()
        return result
