"""Studies that are killed, interrupted, shared and short of memory end as undisturbed ones."""

import collections
import itertools
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from msgspec.structs import asdict, replace
from safetensors.torch import load_file
from split_off import Program, written

from tfkd.data import DataSettings
from tfkd.runs import (
    Circumstances,
    MethodSettings,
    Recipe,
    RunDirectory,
    RunSettings,
    RunTeacher,
)
from tfkd.runs.lock import LOCK_FILE
from tfkd.study.execute import RunsFailedError, execute
from tfkd.study.plan import PlannedRun
from tfkd.study.progress import SilentStudy

pytestmark = pytest.mark.usefixtures("one_thread")

EPOCHS = 3
NUMBERS = itertools.count()
BASE = RunSettings(Recipe(data=DataSettings("digits", train_size=60), epochs=EPOCHS, batch_size=30))


def plan(root, seeds=5):
    """Five runs or more, and one that the first of them teaches."""
    runs = [PlannedRun(f"plain-{seed}", "x", replace(BASE, seed=seed)) for seed in range(seeds)]
    teacher = RunTeacher(run=str(root / "plain-0"))
    taught = RunSettings(BASE.recipe, MethodSettings("normal_kd"), teacher)
    return [*runs, PlannedRun("taught", "x", taught, after="plain-0")]


class Log(SilentStudy):
    """Writes what happens to a file that several processes share.

    Halts at its epoch number `halt`; and at its first until so many processes have had one.
    """

    def __init__(self, file, *, halt=0, together=1):
        self._file, self._halt, self._together, self._epochs = file, halt, together, 0

    def _write(self, *words):
        with self._file.open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")

    def start(self, runs, epochs):
        self._write(os.getpid(), "start", runs, epochs)

    def epoch(self, name, record):
        self._write(os.getpid(), "epoch", name, record.epoch)
        self._epochs += 1
        while self._epochs == self._halt or len(told(self._file)) < self._together:
            time.sleep(0.01)

    def finished(self, run, result):
        self._write(os.getpid(), "finished", run.name)


class Hook(SilentStudy):
    """Calls `act` with the number of the epoch, or of the run, that was reported."""

    def __init__(self, *, epoch=None, finished=None):
        self.epochs, self.done = [], []
        self._epoch, self._finished = epoch, finished

    def epoch(self, name, record):
        self.epochs.append((name, record.epoch))
        if self._epoch is not None:
            self._epoch(len(self.epochs))

    def finished(self, run, result):
        self.done.append(run.name)
        if self._finished is not None:
            self._finished(len(self.done))


def main(root, jobs, seeds, halt, together):
    """Execute the plan as a program, on as many cores as jobs; the log lies beside it."""
    os.setsid()  # so that it may be killed with all its processes
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:jobs])
    torch.set_num_threads(1)
    root = Path(root)
    log = Log(root.with_suffix(".log"), halt=halt, together=together)
    log._write(os.getpid(), "ready")
    while not root.with_suffix(".go").exists():
        time.sleep(0.01)
    execute(
        plan(root, seeds),
        root,
        jobs=jobs,
        progress=log,
        circumstances=Circumstances(checkpoint_seconds=0),
    )


def start(root, jobs=1, seeds=5, *, halt=0, together=1):
    program = f"import runpy\nmain = runpy.run_path({__file__!r}, run_name='program')['main']\n"
    arguments = (str(root), jobs, seeds, halt, together)
    name = f"{root.name}-{next(NUMBERS)}"
    file = written(root.with_name(f"{name}.py"), f"{program}main(*{arguments!r})\n")
    return Program(file, name)


def read(root, kind):
    """What the processes logged of a kind: process, and the rest."""
    file = root.with_suffix(".log")
    lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    return [(int(line[0]), *line[2:]) for line in lines if line[1] == kind]


def told(file):
    """The processes that were told of an epoch."""
    return {process for process, *_ in read(file, "epoch")}


def wait_for(root, kind, count):
    limit = time.monotonic() + 100
    while len(read(root, kind)) < count:
        assert time.monotonic() < limit, f"never saw {count} times {kind}"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    root = tmp_path_factory.mktemp("studies") / "undisturbed"
    hook = Hook()
    execute(plan(root), root, jobs=1, progress=hook)
    assert hook.epochs == [(run.name, e + 1) for run in plan(root) for e in range(EPOCHS)]
    return root


def same(root, undisturbed, seeds=5):
    for run in plan(root, seeds):
        one, other = RunDirectory(root / run.name), RunDirectory(undisturbed / run.name)
        results = [asdict(one.result()), asdict(other.result())]
        assert [result.pop("seconds") > 0 for result in results] == [True, True]
        assert results[0] == results[1]
        weights = [load_file(one.weights_file()), load_file(other.weights_file())]
        assert weights[0].keys() == weights[1].keys()
        assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
        assert not one.checkpoint_file.exists()


def test_a_study_killed_at_any_moment_ends_the_same(tmp_path, undisturbed, chance):
    root = tmp_path / "study"
    root.with_suffix(".go").touch()
    kills = 3
    for _ in range(kills):
        before, after = len(read(root, "epoch")), chance.randint(1, 4)
        process = start(root, halt=after + 1)  # so that it never ends before
        wait_for(root, "epoch", before + after)
        time.sleep(chance.uniform(0, 0.1))
        os.killpg(process.pid, signal.SIGKILL)
        assert process.end() == -signal.SIGKILL
    assert start(root).end() == 0
    same(root, undisturbed)
    times = collections.Counter(name for _, name in read(root, "finished"))
    assert max(times.values()) == 1
    # Each kill costs one epoch at most: the one that was not yet in a checkpoint.
    assert 6 * EPOCHS <= len(read(root, "epoch")) <= 6 * EPOCHS + kills


def test_two_processes_share_a_study(tmp_path, undisturbed):
    root = tmp_path / "study"
    processes = [start(root, together=2), start(root, together=2)]
    wait_for(root, "ready", 2)
    root.with_suffix(".go").touch()
    assert [process.end() for process in processes] == [0, 0]
    same(root, undisturbed)
    trained = collections.Counter(entry[1:] for entry in read(root, "epoch"))
    assert trained == {(run.name, str(e + 1)): 1 for run in plan(root) for e in range(EPOCHS)}
    assert {entry[0] for entry in read(root, "epoch")} == {p.pid for p in processes}
    # Either counts the runs of the other.
    assert collections.Counter(entry[0] for entry in read(root, "finished")) == {
        process.pid: 6 for process in processes
    }


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_processes_of_a_study_end_with_it_and_the_next_call_goes_on(how, tmp_path, undisturbed):
    root = tmp_path / "study"
    root.with_suffix(".go").touch()
    process = start(root, jobs=2, halt=2)  # nor is another run begun
    wait_for(root, "epoch", 2)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does with Ctrl-C
    else:
        os.kill(process.pid, how)  # the others are told by nobody
    assert process.end() == {signal.SIGTERM: 143, signal.SIGINT: 1}.get(how, -how)
    limit = time.monotonic() + 100
    with pytest.raises(ProcessLookupError):  # nobody is left in the group
        while time.monotonic() < limit:
            os.killpg(process.pid, 0)
            time.sleep(0.01)
    left = [run.name for run in plan(root) if RunDirectory(root / run.name).result() is None]
    assert left
    hook = Hook()
    execute(plan(root), root, jobs=1, progress=hook)
    assert sorted(hook.done) == sorted(left)
    same(root, undisturbed)


MANY = 31


@pytest.fixture(scope="module")
def undisturbed_many(tmp_path_factory):
    root = tmp_path_factory.mktemp("studies") / "many"
    execute(plan(root, MANY), root, jobs=1, progress=Hook())
    return root


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_a_study_of_dozens_of_runs_under_repeated_kills_ends_the_same(
    tmp_path, undisturbed_many, chance
):
    root = tmp_path / "study"
    root.with_suffix(".go").touch()
    written = {}
    kills = 13
    for number in range(kills):
        before, after = len(read(root, "epoch")), chance.randint(1, 3)
        # In all fewer than there are, even if two runs go on to their end where it halts.
        process = start(root, jobs=1 + number % 2, seeds=MANY, halt=after + 1)
        wait_for(root, "epoch", before + after)
        time.sleep(chance.uniform(0, 0.1))
        os.killpg(process.pid, signal.SIGKILL)
        assert process.end() == -signal.SIGKILL
        written |= {file: file.stat().st_mtime_ns for file in root.glob("*/result.json")}
    assert start(root, seeds=MANY).end() == 0
    same(root, undisturbed_many, MANY)
    # What was finished stayed as it was: each run was done once.
    assert len(written) > 0
    assert all(file.stat().st_mtime_ns == moment for file, moment in written.items())
    # At each kill two runs at most train, and lose an epoch each, which is done and told again.
    assert len(read(root, "epoch")) <= (MANY + 1) * EPOCHS + 2 * kills


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_four_processes_share_a_study_and_take_over_from_one_that_dies(tmp_path, undisturbed_many):
    root = tmp_path / "study"
    processes = [start(root, seeds=MANY, together=4) for _ in range(4)]
    wait_for(root, "ready", 4)
    root.with_suffix(".go").touch()
    wait_for(root, "epoch", 10)
    dead = processes.pop()
    dead.kill()
    dead.end()
    assert [process.end() for process in processes] == [0, 0, 0]
    same(root, undisturbed_many, MANY)
    trained = collections.Counter(entry[1:] for entry in read(root, "epoch"))
    every = {(run.name, str(e + 1)) for run in plan(root, MANY) for e in range(EPOCHS)}
    assert set(trained) == every
    assert sum(trained.values()) <= len(every) + 1  # one epoch, begun by who died, was done again
    assert {pid for pid, *_ in read(root, "epoch")} >= {process.pid for process in processes}


@contextmanager
def held(run):
    """A run that another process holds."""
    run.mkdir(parents=True)
    program = (
        "import sys, time, filelock; lock = filelock.FileLock(sys.argv[1]); "
        "lock.acquire(); print('held', flush=True); time.sleep(100)"
    )
    command = [sys.executable, "-c", program, str(run / LOCK_FILE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


def test_a_busy_run_is_left_for_later_and_taken_over_when_its_trainer_dies(tmp_path, undisturbed):
    with held(tmp_path / "plain-0") as holder:
        hook = Hook(finished=lambda number: holder.kill() if number == 4 else None)
        execute(plan(tmp_path), tmp_path, jobs=1, progress=hook)
    # Its own student waits for it.
    assert hook.done == ["plain-1", "plain-2", "plain-3", "plain-4", "plain-0", "taught"]
    same(tmp_path, undisturbed)


def test_a_run_that_another_process_finishes_counts(tmp_path, undisturbed):
    def finish(number):
        if number == 4:
            shutil.copytree(undisturbed / "plain-0", tmp_path / "plain-0", dirs_exist_ok=True)

    hook = Hook(finished=finish)
    with held(tmp_path / "plain-0"):
        execute(plan(tmp_path), tmp_path, jobs=1, progress=hook)
    assert hook.done == ["plain-1", "plain-2", "plain-3", "plain-4", "plain-0", "taught"]
    assert len(hook.epochs) == 5 * EPOCHS
    same(tmp_path, undisturbed)


def kill_children():
    for process in multiprocessing.active_children():
        process.kill()


def test_runs_whose_process_is_killed_go_on_in_another(tmp_path):
    hook = Hook(epoch=lambda number: kill_children() if number == 1 else None)
    execute(plan(tmp_path), tmp_path, jobs=2, progress=hook)
    assert len(hook.done) == 6
    names = [run.name for run in plan(tmp_path)]
    assert all(RunDirectory(tmp_path / name).result() is not None for name in names)


def test_a_run_whose_process_is_killed_twice_has_failed(tmp_path):
    hook = Hook(epoch=lambda number: kill_children())
    long = replace(BASE.recipe, epochs=1000)
    runs = [PlannedRun(str(n), "x", RunSettings(long, seed=n)) for n in range(2)]
    with pytest.raises(
        RunsFailedError, match=r"2 of 2 runs failed(.|\n)*0: its process died twice"
    ):
        execute(runs, tmp_path, jobs=2, progress=hook)
    assert hook.done == []


def test_an_unknown_executor_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`executor` local or ray, got 'slurm'"):
        execute([], tmp_path, jobs=1, progress=Hook(), executor="slurm")


def test_a_study_whose_finished_runs_were_taught_by_other_weights_is_refused(undisturbed, tmp_path):
    root = tmp_path / "study"
    shutil.copytree(undisturbed, root)
    execute(plan(root), root, jobs=1, progress=Hook())  # all is finished
    before = (root / "taught" / "result.json").stat().st_mtime_ns
    shutil.copy(root / "plain-1" / "weights.safetensors", root / "plain-0" / "weights.safetensors")
    with pytest.raises(ValueError, match=r"the weights that taught the run in .*taught.*plain-0"):
        execute(plan(root), root, jobs=1, progress=Hook())
    assert (root / "taught" / "result.json").stat().st_mtime_ns == before
