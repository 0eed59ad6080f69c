"""Two processes under `torchrun`, with and without FSDP, do the mathematics of one."""

import dataclasses
import json
import os
import subprocess
import sys

import accelerate
import pytest
import torch
from accelerate.utils import DistributedType
from safetensors.torch import load_file

from tfkd.data import DataSettings, load_data, make_loader
from tfkd.models import create_model
from tfkd.runs import OptimizerSettings, RunDirectory, RunSettings
from tfkd.train import evaluate_run, train_run
from tfkd.train.seeds import weights_seed

pytestmark = pytest.mark.usefixtures("one_thread", "flat_mlp")

# 184 training images: of a batch of 59 the processes have 29 and 30, and of the last one 3 and 4.
PLAIN = RunSettings(
    data=DataSettings("digits", train_size=205),
    student="flat_mlp",
    epochs=2,
    batch_size=59,
    gradient_accumulation=2,
    save_epochs=(1,),
)
ADAM = dataclasses.replace(PLAIN, optimizer=OptimizerSettings("adamw", learning_rate=0.01))
BATCH_NORM = RunSettings(data=DataSettings("digits", train_size=205), epochs=2, batch_size=64)

PROGRAM = """
import json, sys
from pathlib import Path
import torch
from accelerate.state import PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from torch.distributed.tensor import DTensor
from tfkd.runs import RunSettings
from tfkd.train import accelerator, lesson, sharding, train_run
from tfkd.train.checkpoint.file import read_checkpoint
from tfkd.train.progress import Silent

class Interrupt(Silent):
    left = 8  # the last batch of the second epoch
    def step(self):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

whole, spread = sharding.whole, set()

def spy(state):
    spread.update(isinstance(value, DTensor) for value in state.values())
    return whole(state)

class Sharded(accelerator.Accelerator):
    # Accelerate shards on GPUs alone, though torch does so on CPUs too.
    def __init__(self, **options):
        super().__init__(**options)
        self.state.fsdp_plugin = FullyShardedDataParallelPlugin(fsdp_version=2)
        self.state.distributed_type = DistributedType.FSDP
        PartialState._shared_state["distributed_type"] = DistributedType.FSDP

if sys.argv[2] == "FSDP":
    accelerator.Accelerator = Sharded
sharding.whole = spy
lesson.EVALUATION_BATCH = 85  # of 596 test images the last one is for one process alone
torch.set_num_threads(1)
for path, settings, interrupted in json.loads(sys.argv[1]):
    settings = RunSettings.from_dict(settings)
    if interrupted:
        try:
            train_run(path, settings, progress=Interrupt(), checkpoint_seconds=0.0)
        except KeyboardInterrupt:
            checkpoint = read_checkpoint(Path(path, "checkpoint.pt"))
            assert (checkpoint["epochs_done"], checkpoint["batches_done"]) == (1, 2)
    train_run(path, settings)
assert (True in spread) == (sys.argv[2] == "FSDP")
"""


def train_pair(folder, jobs, how, preparation):
    """Train runs one after another in two processes: path, settings, interruption."""
    program = folder / "program.py"
    program.write_text(preparation + PROGRAM)
    listed = [(str(path), settings.to_dict(), *rest) for path, settings, *rest in jobs]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *torchrun, str(program), json.dumps(listed), how],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def alone(flat_mlp, tmp_path_factory):
    """The runs of one process."""
    folder = tmp_path_factory.mktemp("alone")
    train_run(folder / "sgd", PLAIN)
    train_run(folder / "adam", ADAM)
    return folder


@pytest.fixture(scope="module", params=["DDP", pytest.param("FSDP", marks=pytest.mark.long)])
def pair(request, flat_mlp, tmp_path_factory):
    """The same runs of two processes, one of them interrupted, and one with batch norm."""
    folder = tmp_path_factory.mktemp(request.param)
    jobs = [
        (folder / "sgd", PLAIN, False),
        (folder / "adam", ADAM, False),
        (folder / "interrupted", ADAM, True),
        (folder / "batch-norm", BATCH_NORM, False),
    ]
    train_pair(folder, jobs, request.param, flat_mlp)
    return folder


def close(one, other, *, weights="weights.safetensors"):
    a, b = load_file(one / weights), load_file(other / weights)
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_two_processes_give_the_weights_and_metrics_of_one(optimizer, alone, pair):
    one, two = alone / optimizer, pair / optimizer
    close(one, two)
    close(one, two, weights="snapshots/epoch-1.safetensors")
    results = [RunDirectory(path).result() for path in (one, two)]
    assert results[0]["samples"] == results[1]["samples"]
    # Accuracy is a whole number of samples: none is counted twice or not at all.
    assert results[0]["train"]["accuracy"] == results[1]["train"]["accuracy"]
    assert results[1]["train"]["loss"] == pytest.approx(results[0]["train"]["loss"], rel=1e-5)
    for name, value in results[0]["test"].items():
        assert results[1]["test"][name] == pytest.approx(value, rel=1e-3)
    labels = [load_file(path / "test.safetensors")["labels"] for path in (one, two)]
    assert torch.equal(*labels)


def test_an_interrupted_pair_ends_the_same(pair):
    one, other = (
        load_file(pair / name / "weights.safetensors") for name in ("adam", "interrupted")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_one_process_reads_what_two_have_written(pair):
    path = pair / "batch-norm"
    measured, result = evaluate_run(path), RunDirectory(path).result()
    for name, value in measured.items():
        assert value == pytest.approx(result["test"][name], rel=1e-4)


def test_batch_norm_on_cpus_normalises_each_share_and_keeps_the_averages_of_the_first(pair):
    data = load_data(BATCH_NORM.data)
    torch.manual_seed(weights_seed(0))
    model = create_model(BATCH_NORM.student, num_classes=10, in_channels=1)
    second = create_model(BATCH_NORM.student, num_classes=10, in_channels=1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4)
    loader = make_loader(data, data.train, batch_size=64, train=True, seed=0)
    epochs = [
        json.loads(x) for x in (pair / "batch-norm" / "metrics.jsonl").read_text().splitlines()
    ]
    rates = [0.1 * (step + 1) / (len(loader) + 1) for step in range(len(loader))]
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(loader))
    for _ in range(len(loader)):
        rates.append(cosine.get_last_lr()[0])
        optimizer.step()
        cosine.step()
    assert epochs[0]["learning_rate"] == pytest.approx(rates[len(loader) - 1])
    for epoch in range(2):
        for number, batch in enumerate(loader.batches(epoch)):
            optimizer.param_groups[0]["lr"] = rates[epoch * len(loader) + number]
            half = len(batch.labels) // 2
            # The second share passes through a copy, whose running averages nobody keeps.
            second.load_state_dict(model.state_dict())
            second.zero_grad()
            optimizer.zero_grad()
            total = len(batch.labels)
            for network_, share in ((model, slice(0, half)), (second, slice(half, None))):
                network_.train()
                loss = torch.nn.functional.cross_entropy(
                    network_(batch.images[share]), batch.labels[share], reduction="sum"
                )
                (loss / total).backward()
            for ours, theirs in zip(model.parameters(), second.parameters(), strict=True):
                ours.grad += theirs.grad
            optimizer.step()
    weights = load_file(pair / "batch-norm" / "weights.safetensors")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(weights[name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_fsdp_that_would_not_happen_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(ValueError, match="GPUs for FSDP"):
        train_run(tmp_path / "run", PLAIN)


def test_fsdp_of_the_first_version_is_refused(tmp_path, monkeypatch):
    class Old(accelerate.Accelerator):
        distributed_type = DistributedType.FSDP
        is_fsdp2 = False

    monkeypatch.setattr("tfkd.train.accelerator.Accelerator", Old)
    with pytest.raises(ValueError, match="FSDP_VERSION=2"):
        train_run(tmp_path / "run", PLAIN)
