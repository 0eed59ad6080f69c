"""Processes split off one that has imported all that is slow: what takes seconds is done once."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPLIT = multiprocessing.get_context("forkserver")
# timm brings torchvision and torch's compiler too, which training imports at its first step.
SPLIT.set_forkserver_preload(["tfkd.study.execute", "tfkd.models", "sklearn.datasets", "timm"])
MOST_SECONDS = 100
"""That a test waits for something before it fails."""


class Program:
    """A process that runs a file.

    Args:
        file: the program; what it says goes to files beside it, of this name.
        name: of the process.
        place: environment variables.
        values: names that the program has.
    """

    def __init__(self, file, name="program", *, place=None, **values):
        self.out, self.err = (file.with_name(f"{name}.{end}") for end in ("out", "err"))
        self.out.touch()
        self.err.touch()
        outputs = (str(self.out), str(self.err))
        self._process = SPLIT.Process(target=_run, args=(str(file), outputs, place or {}, values))
        self._process.start()
        self.pid = self._process.pid

    def running(self):
        return self._process.is_alive()

    def kill(self):
        """Kill it; `end` waits until it is gone."""
        self._process.kill()

    def end(self):
        """Wait for its end and return the exit code: 1 after an exception, -n after signal n."""
        self._process.join()
        return self._process.exitcode

    def wait_for(self, line):
        """Wait until it has said a line."""
        limit = time.monotonic() + MOST_SECONDS
        while line not in self.out.read_text().splitlines():
            assert self.running(), self.err.read_text()
            assert time.monotonic() < limit, f"never said {line}"
            time.sleep(0.005)

    def finish(self):
        """Wait for an end without errors; return what was said."""
        code = self.end()
        assert code == 0, self.err.read_text()
        return self.out.read_text()


def pair(file, **values):
    """Return two processes of a program that find one another as torchrun would have them."""
    from torch.distributed import TCPStore

    # The store is that of who starts them, which is why no free port has to be guessed.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    place = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "ACCELERATE_USE_CPU": True}
    place |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": store.port}
    place |= {"TORCHELASTIC_USE_AGENT_STORE": True, "TORCHELASTIC_RESTART_COUNT": 0}
    programs = []
    for rank in range(2):
        own = {
            key: str(value) for key, value in {**place, "RANK": rank, "LOCAL_RANK": rank}.items()
        }
        programs.append(Program(file, f"{file.stem}-{rank}", place=own, **values))
        programs[-1].store = store
    return programs


TWO = """
import multiprocessing, pathlib, runpy, sys
{first}
import split_off

test, folder = map(pathlib.Path, sys.argv[1:])
split_off.SPLIT = multiprocessing.get_context("fork")  # so that one process imports for both
program = split_off.written(folder / "one_of_two.py", "run(test, folder)")


def run(test, folder):
    runpy.run_path(str(test))["one_of_two"](folder)


for process in split_off.pair(program, run=run, test=test, folder=folder):
    process.finish()
"""


def in_two(test, folder, first):
    """Run `one_of_two(folder)` of a test file in two processes, as `pair` has them.

    They are split off one that has run `first`, imports that take seconds, and nothing else: after
    a backward pass torch cannot be split off any more.
    """
    program = written(folder / "two.py", TWO.format(first=first))
    command = [sys.executable, str(program), str(test), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr


COMMAND = """
import os, sys

os.chdir(here)
sys.path[:0] = known
sys.argv[1:] = words
from tfkd.cli import main

sys.exit(main())
"""


def command(*words, known=(), here=None):
    """Run the command line in a process that is split off, and return how it ended.

    What `subprocess.run([sys.executable, "-m", "tfkd.cli", ...])` proves beside it is that Python
    finds the package: once a file is enough.

    Args:
        words: behind `tfkd`.
        known: folders, as in PYTHONPATH.
        here: the current folder.
    """
    with tempfile.TemporaryDirectory() as name:
        own = {"words": [*map(str, words)], "known": [*map(str, known)], "here": str(here or ".")}
        place = {"PYTHONPATH": os.pathsep.join([*own["known"], os.environ.get("PYTHONPATH", "")])}
        program = Program(written(Path(name) / "program.py", COMMAND), place=place, **own)
        code = program.end()
        return subprocess.CompletedProcess(
            own["words"], code, program.out.read_text(), program.err.read_text()
        )


AFTER = """
import os, sys, traceback
{first}
for program in sys.argv[1:]:
    sys.stdout.flush()
    child = os.fork()
    if not child:
        code = 1
        try:
            exec(program, {{}})
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit(1)
"""


def each_after(first, programs):
    """Run programs in a process that has imported nothing but `first`; return what they said.

    Each is split off, so that none sees what another has imported.
    """
    command = [sys.executable, "-c", AFTER.format(first=first), *programs]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _run(file, outputs, place, values):
    for descriptor, output in enumerate(outputs, start=1):
        os.dup2(os.open(output, os.O_WRONLY | os.O_APPEND), descriptor)
    os.environ.update(place)
    runpy.run_path(file, values)


def written(path: Path, program: str) -> Path:
    """Write a program to a file."""
    path.write_text(program)
    return path
