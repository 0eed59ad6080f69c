"""Runs that are killed, stopped and started again end as undisturbed ones, to the last bit."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace
from own_parts import changed
from safetensors.torch import load_file
from split_off import Program, pair

from tfkd.data import DataSettings
from tfkd.runs import (
    Circumstances,
    MethodSettings,
    OneCycle,
    Recipe,
    RunDirectory,
    RunSettings,
    RunTeacher,
    files,
)
from tfkd.train import train_run
from tfkd.train.checkpoint.file import read_checkpoint

pytestmark = pytest.mark.usefixtures("one_thread")

DATA = DataSettings("digits", train_size=210, validation_fraction=0.1)
TAUGHT = RunSettings(
    Recipe(
        data=DATA,
        student="plain_cnn",  # has dropout and batch norm
        epochs=3,
        batch_size=24,
        gradient_accumulation=2,
        mixup=0.2,
        cutmix=0.5,
        mixed_precision="bf16",
        schedule=OneCycle(),
    ),
    method=MethodSettings("knowledge_distillation", numbers={"temperature": 2.0}),
    teacher=RunTeacher(run="teacher"),
)
KEPT = Circumstances(save_epochs=(2,))

PROGRAM = """
import os, time
import msgspec, torch
from tfkd.runs import Circumstances, RunSettings
from tfkd.train import train_run
from tfkd.train.progress import Silent

class Slow(Silent):
    made = 0

    def step(self):
        with open(log, "a") as file:
            file.write("step\\n")
        self.made += 1
        time.sleep(pause)
        while self.made == halt and not os.path.exists(go):
            time.sleep(0.001)

torch.set_num_threads(1)
settings = msgspec.json.decode(settings, type=RunSettings)
circumstances = Circumstances(save_epochs=(2,), checkpoint_seconds=checkpoint_seconds)
train_run(path, settings, circumstances, progress=Slow())
"""


class Trainer:
    """A process that trains, or two; each halts within its batch number `halt`.

    Two find one another as torchrun would have them, from which they are started where its own
    doings matter: it takes seconds.
    """

    def __init__(
        self,
        path,
        settings,
        *,
        processes=1,
        torchrun=False,
        checkpoint_seconds=0.0,
        pause=0.0,
        halt=None,
        program=PROGRAM,
    ):
        self.log, self.go = path.with_suffix(".log"), path.with_suffix(".go")
        self.before = self.made()
        values = {
            "path": str(path),
            "log": str(self.log),
            "settings": files.to_json(settings).decode(),
            "checkpoint_seconds": checkpoint_seconds,
            "pause": pause,
            "halt": halt,
            "go": str(self.go),
        }
        file = path.with_suffix(".py")
        file.write_text("".join(f"{k} = {v!r}\n" for k, v in values.items()) + program)
        self.split, self.torchrun = [], None
        if torchrun:
            launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
            self.torchrun = subprocess.Popen(
                [sys.executable, *launcher, file],
                env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
                stderr=subprocess.PIPE,
                text=True,
            )
            return
        if processes == 1:
            self.split = [Program(file)]
        else:
            self.split = pair(file)

    def made(self):
        """Steps that the log has, of all processes that trained the run."""
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    def wait_for(self, steps):
        limit = time.monotonic() + 100
        while self.made() < self.before + steps and self.running():
            assert time.monotonic() < limit, f"never made {steps} steps"
            time.sleep(0.001)

    def running(self):
        if self.torchrun is not None:
            return self.torchrun.poll() is None
        return all(process.running() for process in self.split)

    def kill(self):
        """Kill all its processes, as a machine that goes down does."""
        for process in self.split:
            process.kill()
        self.end()

    def end(self):
        """Wait for its end; return the exit code, one that is not 0 before others, and errors."""
        if self.torchrun is not None:
            errors = self.torchrun.communicate()[1]
            return self.torchrun.returncode, errors
        codes = [process.end() for process in self.split]
        errors = "".join(process.err.read_text() for process in self.split)
        return next((code for code in codes if code != 0), 0), errors

    def finish(self):
        code, errors = self.end()
        assert code == 0, errors


def same(one, other):
    """Whether two runs are the same to the last bit, but for the time that they took."""
    for name in ("weights", "test", "snapshots/epoch-2"):
        a, b = load_file(one / f"{name}.safetensors"), load_file(other / f"{name}.safetensors")
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a), name
    runs = [RunDirectory(path) for path in (one, other)]
    results, histories = [run.result() for run in runs], [run.history() for run in runs]
    for record in (*results, *histories[0], *histories[1]):
        assert record.seconds > 0
    assert replace(results[0], seconds=0) == replace(results[1], seconds=0)
    without = [[replace(record, seconds=0) for record in history] for history in histories]
    assert without[0] == without[1]
    files = [{str(f.relative_to(path)) for f in path.rglob("*")} for path in (one, other)]
    assert files[0] == files[1]  # nothing half-written is left


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    teacher = tmp_path_factory.mktemp("teacher") / "run"
    train_run(teacher, RunSettings(Recipe(data=DATA, epochs=1)))
    return changed(TAUGHT, teacher=RunTeacher(run=str(teacher)))


@pytest.fixture(scope="module")
def undisturbed(settings, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "undisturbed"
    train_run(path, settings, KEPT)
    return path


@pytest.fixture(scope="module")
def undisturbed_pair(settings, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "pair"
    Trainer(path, settings, processes=2).finish()
    return path


def kill_and_finish(path, settings, chance, *, kills, processes):
    """Kill a run at random moments, each in the steps that are left, and let it end."""
    # Two processes agree on a checkpoint one step, which is two batches, before they write it.
    moments = (0, 1, 2, 3) if processes == 1 else (0, 4, 5, 8)
    for number in range(kills):
        after = chance.choice(moments) if number + 1 < kills else moments[-1]
        pause = 0.2 if after == 0 else chance.choice((0.0, 0.01))
        # However late the kill comes, the run is not at its end.
        halt = after + 2
        trainer = Trainer(path, settings, processes=processes, pause=pause, halt=halt)
        if after == 0:  # while it starts
            time.sleep(chance.uniform(0.0, 0.5 * processes))
        else:  # anywhere in a step, or in the checkpoint that follows
            trainer.wait_for(after * processes)
            time.sleep(chance.uniform(0.0, 0.02))
        assert trainer.running()
        trainer.kill()
    assert (path / "checkpoint.pt").exists()
    Trainer(path, settings, processes=processes).finish()


def test_a_run_killed_at_random_moments_ends_the_same(settings, undisturbed, chance, tmp_path):
    kill_and_finish(tmp_path / "run", settings, chance, kills=3, processes=1)
    same(tmp_path / "run", undisturbed)


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_killed_at_20_random_moments_ends_the_same(processes, settings, chance, tmp_path):
    settings = changed(settings, epochs=12 * processes)
    Trainer(tmp_path / "undisturbed", settings, processes=processes).finish()
    kill_and_finish(tmp_path / "run", settings, chance, kills=20, processes=processes)
    same(tmp_path / "run", tmp_path / "undisturbed")


@pytest.mark.parametrize("number", [1, 4])
def test_a_run_killed_while_it_writes_a_checkpoint_ends_the_same(
    number, settings, undisturbed, tmp_path
):
    run = tmp_path / "run"
    # Half of the checkpoint is on the disk when the process kills itself.
    program = f"""
import os, signal
from pathlib import Path
from tfkd.runs import files

written, left = os.fsync, {number}

def die(descriptor):
    global left
    name = Path(os.readlink(f"/proc/self/fd/{{descriptor}}")).name
    if name.startswith(".checkpoint.pt."):
        left -= 1
        if left == 0:
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
    written(descriptor)

os.fsync = die
{PROGRAM}"""
    assert Trainer(run, settings, program=program).end()[0] == -signal.SIGKILL
    assert len(list(run.glob(".checkpoint.pt.*"))) == 1
    assert (run / "checkpoint.pt").exists() == (number > 1)
    Trainer(run, settings).finish()
    same(run, undisturbed)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 1)])
def test_a_signal_stops_at_the_next_step(number, code, settings, undisturbed, tmp_path):
    run = tmp_path / "run"
    trainer = Trainer(run, settings, checkpoint_seconds=1000.0, halt=3)
    trainer.wait_for(3)
    os.kill(trainer.split[0].pid, number)
    trainer.go.touch()
    assert trainer.end()[0] == code
    assert trainer.made() == 4  # two batches to a step
    checkpoint = read_checkpoint(run / "checkpoint.pt")
    assert (checkpoint.epochs_done, checkpoint.batches_done) == (0, 4)
    Trainer(run, settings).finish()
    assert trainer.made() == 3 * 9
    same(run, undisturbed)


@pytest.mark.long
def test_two_processes_stop_together_though_one_alone_is_asked(
    settings, undisturbed_pair, tmp_path
):
    run = tmp_path / "run"
    program = PROGRAM.replace(
        "class Slow(Silent):",
        """
import os, signal
made = 0

class Slow(Silent):
    def step(self):
        global made
        made += 1
        if made == 5 and os.environ["RANK"] == "1":
            os.kill(os.getpid(), signal.SIGTERM)

class Unused(Silent):""",
    )
    trainer = Trainer(run, settings, torchrun=True, checkpoint_seconds=1000.0, program=program)
    code, errors = trainer.end()
    assert code == 1  # torchrun's own
    # Each ends by itself, whichever of them torchrun sees first and sends SIGTERM to the other.
    assert re.findall(r"exitcode  : (\S+)", errors) == ["143", "143"], errors
    checkpoint = read_checkpoint(run / "checkpoint.pt")
    assert (checkpoint.epochs_done, checkpoint.batches_done) == (0, 8)  # asked in step 3
    Trainer(run, settings, processes=2).finish()
    same(run, undisturbed_pair)


@pytest.mark.long
def test_processes_whose_launcher_is_killed_end_and_until_then_nobody_else_trains(
    settings, undisturbed_pair, tmp_path
):
    run = tmp_path / "run"
    orphans = Trainer(run, settings, torchrun=True, checkpoint_seconds=1000.0, halt=5)
    orphans.wait_for(10)
    orphans.torchrun.kill()  # alone, and it has no time to pass it on
    orphans.torchrun.wait()
    code, errors = Trainer(run, settings, torchrun=True).end()
    assert code != 0
    assert f"Expected the run in {run} to be free, but another process trains it." in errors
    assert not (run / "checkpoint.pt").exists()
    orphans.go.touch()
    orphans.end()  # when the last of them has closed the pipe of errors
    checkpoint = read_checkpoint(run / "checkpoint.pt")
    assert (checkpoint.epochs_done, checkpoint.batches_done) == (0, 8)  # seen in step 3
    Trainer(run, settings, processes=2).finish()
    same(run, undisturbed_pair)


def test_a_command_stopped_by_sigterm_says_so_and_goes_on(tmp_path):
    command = [sys.executable, "-m", "tfkd.cli", "train", "--out", str(tmp_path / "run")]
    command += ["--epochs", "1000", "--train_size", "100"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not process.stderr.readline().startswith("epoch 2/"):
        assert process.poll() is None
    process.terminate()
    errors = process.communicate()[1]
    assert process.returncode == 143
    last = errors.splitlines()[-1]
    assert last.startswith("tfkd: stopped after ")
    assert last.endswith(f"of {tmp_path / 'run'}; the same command goes on where it stopped.")
    assert Path(tmp_path / "run" / "checkpoint.pt").exists()
