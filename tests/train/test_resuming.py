"""Runs that are killed, stopped and started again end as undisturbed ones, to the last bit."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tfkd.data import DataSettings
from tfkd.train import (
    MethodSettings,
    RunDirectory,
    RunSettings,
    ScheduleSettings,
    TeacherSettings,
    train_run,
)

DATA = DataSettings("digits", train_size=210, validation_fraction=0.1)
TAUGHT = RunSettings(
    data=DATA,
    student="plain_cnn",  # has dropout and batch norm
    epochs=3,
    batch_size=24,
    gradient_accumulation=2,
    mixup=0.2,
    cutmix=0.5,
    mixed_precision="bf16",
    schedule=ScheduleSettings("one-cycle"),
    save_epochs=(2,),
    method=MethodSettings("knowledge_distillation", temperature=2.0),
    teacher=TeacherSettings("teacher"),
)
STEPS = 3 * 5  # 9 batches in an epoch, two to a step

PROGRAM = """
import json, sys, time
import torch
from tfkd.train import RunSettings, train_run
from tfkd.train.progress import Silent

class Slow(Silent):
    def step(self):
        print("step", flush=True)
        time.sleep(pause)

torch.set_num_threads(1)
path, settings, checkpoint_seconds, pause = sys.argv[1], *map(json.loads, sys.argv[2:])
train_run(
    path, RunSettings.from_dict(settings), progress=Slow(), checkpoint_seconds=checkpoint_seconds
)
"""


def start(path, settings, *, processes=1, checkpoint_seconds=0.0, pause=0.0, program=PROGRAM):
    """Train as a program, under torchrun if there are several processes."""
    file = path.with_suffix(".py")
    file.write_text(program)
    words = [path, json.dumps(settings.to_dict()), str(checkpoint_seconds), str(pause)]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.Popen(
        [sys.executable, *(launcher if processes > 1 else []), file, *words],
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process):
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def kill(process):
    """Kill it with all its children, as a machine that goes down does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def steps(process, count):
    """Wait until it has made so many steps."""
    for _ in range(count):
        assert process.stdout.readline() == "step\n", process.stderr.read()


def same(one, other):
    """Whether two runs are the same to the last bit, but for the time that they took."""
    for name in ("weights", "test", "snapshots/epoch-2"):
        a, b = load_file(one / f"{name}.safetensors"), load_file(other / f"{name}.safetensors")
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a), name
    results = [RunDirectory(path).result() for path in (one, other)]
    histories = [
        [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        for path in (one, other)
    ]
    for record in (*results, *histories[0], *histories[1]):
        assert record.pop("seconds") > 0
    assert results[0] == results[1]
    assert histories[0] == histories[1]
    files = [{str(f.relative_to(path)) for f in path.rglob("*")} for path in (one, other)]
    assert files[0] == files[1]  # nothing half-written is left


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums are the same to the last bit only for the same number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    teacher = tmp_path_factory.mktemp("teacher") / "run"
    train_run(teacher, RunSettings(data=DATA, epochs=1))
    return dataclasses.replace(TAUGHT, teacher=TeacherSettings(str(teacher)))


@pytest.fixture(scope="module")
def undisturbed(settings, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "undisturbed"
    train_run(path, settings)
    return path


@pytest.fixture(scope="module")
def undisturbed_pair(settings, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "pair"
    finish(start(path, settings, processes=2))
    return path


def kill_and_finish(path, settings, *, kills, processes, seed):
    """Kill a run at random moments, each in the steps that are left, and let it end."""
    chance = random.Random(seed)
    for _ in range(kills):
        # 0: at a moment of its start; later: anywhere between two steps, or in a checkpoint.
        after = chance.choice((0, 1, 1, 2, 3))
        process = start(path, settings, processes=processes, pause=chance.choice((0.0, 0.01)))
        if after == 0:
            time.sleep(chance.uniform(0.0, 4.0))
        else:
            steps(process, after * processes)
            time.sleep(chance.uniform(0.0, 0.05))
        kill(process)
    finish(start(path, settings, processes=processes))


def test_a_run_killed_at_random_moments_ends_the_same(settings, undisturbed, tmp_path):
    kill_and_finish(tmp_path / "run", settings, kills=3, processes=1, seed=None)
    same(tmp_path / "run", undisturbed)


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_killed_at_20_random_moments_ends_the_same(
    processes, settings, undisturbed, undisturbed_pair, tmp_path
):
    # More steps than kills, and one checkpoint a step: it advances while it is killed.
    kill_and_finish(tmp_path / "run", settings, kills=20, processes=processes, seed=None)
    same(tmp_path / "run", undisturbed if processes == 1 else undisturbed_pair)


@pytest.mark.parametrize("number", [1, 4])
def test_a_run_killed_while_it_writes_a_checkpoint_ends_the_same(
    number, settings, undisturbed, tmp_path
):
    run = tmp_path / "run"
    # Half of the checkpoint is on the disk when the process kills itself.
    program = f"""
import os, signal
from pathlib import Path
from tfkd.train import files

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
    process = start(run, settings, program=program)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(list(run.glob(".checkpoint.pt.*"))) == 1
    assert (run / "checkpoint.pt").exists() == (number > 1)
    finish(start(run, settings))
    same(run, undisturbed)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)]
)
def test_a_signal_stops_at_the_next_step(number, code, settings, undisturbed, tmp_path):
    run = tmp_path / "run"
    process = start(run, settings, checkpoint_seconds=1000.0, pause=0.2)
    steps(process, 3)
    process.send_signal(number)
    output, errors = process.communicate()
    assert process.returncode == code, errors
    made = 3 + output.count("step")
    assert made in (4, 6)
    checkpoint = torch.load(run / "checkpoint.pt", weights_only=True)
    assert (checkpoint["epochs_done"], checkpoint["batches_done"]) == (0, made)
    progress = start(run, settings)
    output, errors = progress.communicate()
    assert output.count("step") == 3 * 9 - made, errors
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
    process = start(run, settings, processes=2, checkpoint_seconds=1000.0, program=program)
    _, errors = process.communicate()
    assert process.returncode != 0
    assert "exitcode  : 143" in errors
    checkpoint = torch.load(run / "checkpoint.pt", weights_only=True)
    assert (checkpoint["epochs_done"], checkpoint["batches_done"]) == (0, 8)  # asked in step 3
    finish(start(run, settings, processes=2))
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
