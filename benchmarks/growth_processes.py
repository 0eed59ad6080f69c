"""An epoch in one process and in two under `torchrun`, gradients averaged over gloo.

`plain_cnn` on digits at 32 pixels, global batch of 128; each process has one thread, so that both
have what they would have on machines of their own but memory. The seconds are the median epoch that
the run itself writes down, without start and evaluation; the first epoch is left out.

    python benchmarks/growth_processes.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from measure import summarise
from records import Records, read_options
from tfkd.runs import RunDirectory

PROCESSES = (1, 2)
EPOCHS = 4


def epoch_seconds(processes: int) -> float:
    """Train a run under torchrun; return the median seconds of an epoch after the first."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command += [
            f"--nproc-per-node={processes}",
            "-m",
            "tfkd.cli",
            "train",
            "--out",
            str(out),
        ]
        command += ["--data", "digits", "--image-size", "32", "--student", "plain_cnn"]
        command += ["--epochs", str(EPOCHS)]
        # Without the second, Accelerate makes no group of processes where there is no GPU.
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        history = RunDirectory(out).history()
        return statistics.median(record.seconds for record in history[1:])


def main() -> None:
    """Measure, alternating between the two."""
    options = read_options(__doc__, repeats=9)
    options.device = torch.device("cpu")
    times: dict[str, list[float]] = {f"{processes} processes": [] for processes in PROCESSES}
    for repeat in range(options.repeats):
        for processes in PROCESSES if repeat % 2 == 0 else PROCESSES[::-1]:
            times[f"{processes} processes"].append(epoch_seconds(processes))
    measured = summarise(times, baseline="1 processes")
    Records("growth_processes", options).add("epoch, one thread a process", measured)


if __name__ == "__main__":
    main()
