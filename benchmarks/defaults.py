"""The grid behind the defaults of `tf_kd_reg`, `tf_kd_self` and `knowledge_distillation`.

Trains `small_cnn` on few images of digits or of Fashion-MNIST, taught by nobody, by itself or by
`wide_cnn`, and measures every setting on the validation split; the test split plays no part.

    python benchmarks/defaults.py digits runs/defaults-digits benchmarks/defaults-digits.csv
"""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

from msgspec.structs import replace

from tfkd.data import DataSettings
from tfkd.report.terminal.study_progress import show_study_progress
from tfkd.runs import (
    Circumstances,
    MethodSettings,
    Recipe,
    RunDirectory,
    RunSettings,
    RunTeacher,
    files,
)
from tfkd.study.execute import execute
from tfkd.study.plan import PlannedRun
from tfkd.study.statistics.differences import summarise

BASES = {
    "digits": Recipe(
        data=DataSettings("digits", train_size=200, validation_fraction=0.8), epochs=100
    ),
    "fashion-mnist": Recipe(
        data=DataSettings(
            "fashion-mnist", train_size=1000, validation_fraction=0.03, augmentation="none"
        ),
        epochs=40,
    ),
}
REG = [MethodSettings("tf_kd_reg", numbers={"alpha": a}) for a in (0.1, 0.3, 0.5, 0.7, 0.9)]
NETWORK = [
    (alpha, temperature) for temperature in (1.0, 2.0, 4.0, 10.0) for alpha in (0.1, 0.5, 0.9)
]


def plan(base: Recipe, seeds: int, root: Path) -> list[PlannedRun]:
    """Return the runs of the grid."""
    runs = []

    def add(name: str, seed: int, student: str, method: MethodSettings, after: str | None) -> str:
        teacher = None if after is None else RunTeacher(run=str(root / after))
        settings = RunSettings(replace(base, student=student), method, teacher, seed)
        directory = f"{name}/seed-{seed}"
        runs.append(PlannedRun(directory, name, settings, after=after))
        return directory

    for seed in range(seeds):
        plain = MethodSettings("cross_entropy")
        small = add("cross_entropy", seed, "small_cnn", plain, None)
        wide = add("teacher", seed, "wide_cnn", plain, None)
        add("label_smoothing", seed, "small_cnn", MethodSettings("label_smoothing"), None)
        for method in REG:
            add(f"tf_kd_reg-{method.numbers['alpha']}", seed, "small_cnn", method, None)
        for name, teacher in (("tf_kd_self", small), ("knowledge_distillation", wide)):
            for alpha, temperature in NETWORK:
                numbers = {"alpha": alpha, "temperature": temperature}
                method = MethodSettings(name, numbers=numbers)
                add(f"{name}-{alpha}-{temperature}", seed, "small_cnn", method, teacher)
    return runs


def main() -> None:
    """Run what is missing of the grid and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=BASES)
    parser.add_argument("root", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    runs = plan(BASES[options.data], options.seeds, options.root)
    with show_study_progress() as progress:
        execute(
            runs,
            options.root,
            jobs=options.jobs,
            circumstances=Circumstances(),
            progress=progress,
        )
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    header = ["method", "alpha", "temperature", "seeds"]
    metrics = ("accuracy", "nll", "ece")
    writer.writerow(header + [f"validation_{m}_{s}" for m in metrics for s in ("mean", "sd")])
    for name in dict.fromkeys(run.arm for run in runs):
        group = [run for run in runs if run.arm == name]
        results = [RunDirectory(options.root / run.name).result() for run in group]
        numbers = group[0].settings.method.numbers
        row = [name.split("-")[0], numbers.get("alpha"), numbers.get("temperature"), len(group)]
        measured = [result.validation for result in results if result and result.validation]
        for metric in metrics:
            summary = summarise([getattr(metrics_of_run, metric) for metrics_of_run in measured])
            row += [f"{summary.mean:.5f}", f"{summary.sd:.5f}"]
        writer.writerow(row)
    files.write_text(options.table, table.getvalue())


if __name__ == "__main__":
    main()
