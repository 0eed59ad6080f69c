"""The committed table of measurements: one row each, replaced when it is measured again.

Every script takes the same options; what it measures goes to `performance.csv` beside this file,
and with `--quick`, which only shows that the script works, to `runs/quick.csv`.
"""

from __future__ import annotations

import argparse
import csv
import importlib.metadata
import io
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

import torch

from measure import Measurement

HERE = Path(__file__).resolve().parent
TABLE = HERE / "performance.csv"
QUICK_TABLE = HERE.parent / "runs" / "quick.csv"
COLUMNS = (
    "benchmark",
    "case",
    "contender",
    "baseline",
    "ratio_median",
    "ratio_low",
    "ratio_high",
    "seconds_median",
    "peak_mib",
    "peak_ratio",
    "over_floor",
    "work",
    "unit",
    "rate",
    "repeats",
    "device",
    "device_name",
    "threads",
    "python",
    "torch",
    "versions",
    "commit",
)
PACKAGES = ("accelerate", "liger-kernel", "timm", "torchdistill", "torchvision", "triton")
Row = dict[str, str]


def read_options(description: str | None, *, repeats: int, **more: object) -> argparse.Namespace:
    """Read the options that every benchmark has.

    Args:
        description: what the script measures.
        repeats: how often each contender is timed, if nothing else is asked for.
        **more: defaults of further options, each of the type of its default.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", type=torch.device, default=torch.device(default))
    parser.add_argument("--repeats", type=int, help=f"timings of each contender ({repeats})")
    parser.add_argument("--out", type=Path, help="table to write to")
    parser.add_argument(
        "--quick", action="store_true", help="little of it, once, written elsewhere"
    )
    for name, value in more.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = parser.parse_args()
    options.repeats = options.repeats or (3 if options.quick else repeats)
    options.out = options.out or (QUICK_TABLE if options.quick else TABLE)
    return options


class Records:
    """Writes the rows of one benchmark as they are measured.

    Rows of the same benchmark and case on the same device and number of threads are replaced.

    Args:
        benchmark: its name.
        options: what `read_options` returned.
    """

    def __init__(self, benchmark: str, options: argparse.Namespace) -> None:
        self.benchmark = benchmark
        self.path: Path = options.out
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.machine = describe_machine(options.device)

    def add(self, case: str, measurements: Iterable[Measurement]) -> None:
        """Write and print the measurements of a case."""
        rows = [
            {"benchmark": self.benchmark, "case": case, **_fields(m), **self.machine}
            for m in measurements
        ]
        write_rows(self.path, replaced(read_rows(self.path), rows))
        for row in rows:
            print(_line(row), flush=True)


def read_rows(path: Path) -> list[Row]:
    """Read a table; none if there is no such file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"Expected the columns {', '.join(COLUMNS)} in {path}.")
        return list(reader)


def replaced(old: list[Row], new: list[Row]) -> list[Row]:
    """Return the rows, those of the new rows' cases replaced, sorted by benchmark and device."""
    cases = {_case(row) for row in new}
    kept = [row for row in old if _case(row) not in cases]
    return sorted(kept + new, key=lambda row: (row["benchmark"], *_machine(row)))


def _machine(row: Row) -> tuple[str, ...]:
    return row["device"], row["device_name"], row["threads"]


def _case(row: Row) -> tuple[str, ...]:
    return row["benchmark"], row["case"], *_machine(row)


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write a table."""
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    # Not by `tfkd.runs`, so that a machine with torch alone can measure.
    part = path.with_name(f"{path.name}.part")
    part.write_text(table.getvalue(), encoding="utf-8", newline="")
    part.replace(path)


def _fields(measurement: Measurement) -> Row:
    peak = measurement.peak_bytes
    return {
        "contender": measurement.contender,
        "baseline": measurement.baseline,
        "ratio_median": f"{measurement.ratio.median:.4f}",
        "ratio_low": f"{measurement.ratio.low:.4f}",
        "ratio_high": f"{measurement.ratio.high:.4f}",
        "seconds_median": f"{measurement.seconds:.4g}",
        "peak_mib": "" if peak is None else f"{peak / 2**20:.4f}",
        "peak_ratio": _number(measurement.peak_ratio),
        "over_floor": _number(measurement.over_floor),
        "work": "" if measurement.work is None else f"{measurement.work:.10g}",
        "unit": measurement.unit,
        "rate": "" if measurement.rate is None else f"{measurement.rate:.4g}",
        "repeats": str(measurement.repeats),
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _line(row: Row) -> str:
    line = (
        f"{row['benchmark']:<12} {row['case']:<44} {row['contender']:<28} "
        f"{float(row['seconds_median']):>10.4g} s  {float(row['ratio_median']):>7.3f} × "
        f"({float(row['ratio_low']):.3f} to {float(row['ratio_high']):.3f})"
    )
    if row["peak_mib"]:
        line += f"  peak {float(row['peak_mib']):.2f} MiB"
    if row["peak_ratio"]:
        line += f" ({float(row['peak_ratio']):.2f} ×)"
    if row["over_floor"]:
        line += f"  {float(row['over_floor']):.2f} × floor"
    if row["rate"]:
        line += f"  {float(row['rate']):.4g} {row['unit']}/s"
    return line


def describe_machine(device: torch.device) -> Row:
    """Return what produced a row: device, threads, versions and commit."""
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "device": device.type,
        "device_name": _device_name(device),
        "threads": str(torch.get_num_threads()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "versions": "; ".join(versions),
        "commit": _commit(),
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    """The checkout's commit, marked if its code differs from it; the tables are no code."""
    git = ["git", "-C", str(HERE.parent)]
    code = ["src", "benchmarks", ":!benchmarks/*.csv"]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            [*git, "diff", "--quiet", "HEAD", "--", *code], capture_output=True, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit.stdout.strip() + ("-dirty" if changed.returncode else "")
