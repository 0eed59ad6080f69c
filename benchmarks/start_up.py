"""How long it takes until something happens: imports, help, and the main job from nothing.

Every timing is a fresh process. The library's names are imported when they are asked for, so that
what is timed asks for one.

    python benchmarks/start_up.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from measure import compare
from records import Records, read_options

IMPORTS = {
    "import torch": "import torch",
    "python alone": "pass",
    "tfkd.tf_kd_reg": "import tfkd; tfkd.tf_kd_reg",
}
TFKD = str(Path(sys.executable).with_name("tfkd"))


def process(*command: str) -> Callable[[], object]:
    """Return the run of a command that must succeed."""
    return lambda: subprocess.run(command, check=True, capture_output=True)


def compare_methods() -> None:
    """Compare all methods on digits, in a directory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        process(TFKD, "compare", "--out", f"{folder}/compare")()


def main() -> None:
    """Measure imports, help and the main job."""
    options = read_options(__doc__, repeats=15)
    records = Records("start_up", options)
    imports = {name: process(sys.executable, "-c", code) for name, code in IMPORTS.items()}
    records.add(
        "import",
        compare(imports, baseline="import torch", repeats=options.repeats, seconds=0.0),
    )
    commands = {"import torch": imports["import torch"], "tfkd --help": process(TFKD, "--help")}
    records.add(
        "help", compare(commands, baseline="import torch", repeats=options.repeats, seconds=0.0)
    )
    if not options.quick:
        job = {"tfkd compare": compare_methods}
        records.add("main job", compare(job, baseline="tfkd compare", repeats=3, seconds=0.0))


if __name__ == "__main__":
    main()
