"""Planning, status, collecting and report of studies with many finished runs.

Two shapes: ten ways to train `small_cnn` on digits over ever more seeds, and ever more ways over
ten seeds.
The runs are files of the kinds and sizes that training leaves behind, logits included and weights
not, with drawn numbers for results. "report" is the command, which collects as well.

    python benchmarks/growth_studies.py --most 1000
"""

from __future__ import annotations

import contextlib
import io
import random
import tempfile
from pathlib import Path

import msgspec
import safetensors.torch
import torch

from measure import compare
from records import Records, read_options
from tfkd.cli.report import report
from tfkd.data import DataSettings, identify, load_data
from tfkd.runs import (
    Circumstances,
    EpochRecord,
    MethodSettings,
    Metrics,
    Recipe,
    Result,
    RunDirectory,
    RunSettings,
    files,
)
from tfkd.runs.checksums import write_checksums
from tfkd.runs.contents import Calibrated, Samples, StoredSettings, TrainMetrics
from tfkd.runs.environment import describe_environment
from tfkd.study.directory import read_studies, write_study
from tfkd.study.plan import Arm, Study
from tfkd.study.records import collect
from tfkd.study.status import study_status

SIZES = (10, 100, 1000, 10_000)
EPOCHS = 2


def plan(num_arms: int, seeds: int) -> Study:
    """Return a study: cross-entropy and strengths of Tf-KD_reg."""
    recipe = Recipe(student="small_cnn", epochs=EPOCHS)
    base = Arm("small_cnn/cross_entropy", MethodSettings("cross_entropy"), recipe)
    arms = [base] + [
        Arm(
            f"small_cnn/tf_kd_reg-{number}",
            MethodSettings("tf_kd_reg", numbers={"alpha": number / num_arms}),
            recipe,
            baseline=base.name,
        )
        for number in range(1, num_arms)
    ]
    return Study("many", "How long does a study of many runs take?", tuple(arms), seeds)


class FinishedRuns:
    """Writes finished runs of two epochs with drawn results, as fast as a disk takes them."""

    def __init__(self) -> None:
        self._numbers = random.Random(0)
        self._data = identify(load_data(DataSettings("digits")))
        self._environment = describe_environment(torch.device("cpu"), processes=1)
        drawn = torch.Generator().manual_seed(0)
        logits = torch.randn(596, 10, generator=drawn)
        labels = torch.randint(10, (596,), generator=drawn)
        self._predictions = safetensors.torch.save({"logits": logits, "labels": labels})

    def write(self, path: Path, settings: RunSettings) -> None:
        """Write a run as RunDirectory.claim and the trainer do, without flushing its files."""
        directory, draw = RunDirectory(path), self._numbers.random
        directory.path.mkdir(parents=True)
        history = [
            EpochRecord(
                epoch=epoch + 1,
                learning_rate=0.1,
                train_loss=draw(),
                train_accuracy=draw(),
                validation_accuracy=draw(),
                validation_nll=draw(),
                seconds=1.0,
            )
            for epoch in range(EPOCHS)
        ]
        metrics = Metrics(accuracy=draw(), nll=draw(), ece=draw(), brier=draw(), aurc=draw())
        result = Result(
            test=metrics,
            validation=metrics,
            train=TrainMetrics(loss=0.1, accuracy=0.9),
            epochs=EPOCHS,
            seconds=2.0,
            samples=Samples(train=1081, validation=120, test=596),
            parameters=13754,
            calibrated=Calibrated(1.0, metrics, metrics),
        )
        fields = {name: getattr(settings, name) for name in RunSettings.__struct_fields__}
        stored = StoredSettings(**fields, circumstances=Circumstances())
        for file, value in (
            (directory.settings_file, stored),
            (directory.data_file, self._data),
            (directory.environment_file, self._environment),
            (directory.result_file, result),
        ):
            file.write_bytes(files.to_json(value))
        directory.test_file.write_bytes(self._predictions)
        directory.metrics_file.write_bytes(msgspec.json.Encoder().encode_lines(history))
        write_checksums(directory.path, sorted(directory.path.iterdir()), {})


def write_runs(study: Study, root: Path) -> None:
    """Write the runs of a study."""
    write_study(study, root)
    finished = FinishedRuns()
    for run in study.runs(root):
        finished.write(root / run.name, run.settings)


def measure(records: Records, num_arms: int, seeds: int, repeats: int) -> None:
    """Measure one study."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        study = plan(num_arms, seeds)
        write_runs(study, root)

        def status() -> None:
            for each in read_studies(root):
                study_status(each, root)

        def written_report() -> None:
            with contextlib.redirect_stdout(io.StringIO()):
                report(root)

        measured = compare(
            {
                "planning": lambda: plan(num_arms, seeds).runs(root),
                "status": status,
                "collecting": lambda: collect(study, root),
                "report": written_report,
            },
            baseline="planning",
            repeats=repeats,
            seconds=0.0,
            work=num_arms * seeds,
            unit="runs",
        )
    records.add(f"{num_arms * seeds} runs, {num_arms} arms x {seeds} seeds", measured)


def main() -> None:
    """Measure each size."""
    options = read_options(__doc__, repeats=3, most=10_000)
    options.device = torch.device("cpu")
    records = Records("growth_studies", options)
    most = 100 if options.quick else options.most
    for runs in (size for size in SIZES if size <= most):
        repeats = 1 if runs >= 10_000 else options.repeats
        for num_arms in sorted({10, max(10, runs // 10)}):
            measure(records, num_arms, runs // num_arms, repeats)


if __name__ == "__main__":
    main()
