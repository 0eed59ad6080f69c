"""Two processes under `torchrun`, with and without FSDP, do the mathematics of one."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import accelerate
import pytest
import split_off
import torch
from accelerate.utils import DistributedType
from msgspec import structs
from own_parts import changed
from safetensors.torch import load_file
from split_off import written

from tfkd.data import DataSettings, load_data, make_loader
from tfkd.models import create_model
from tfkd.runs import (
    SGD,
    AdamW,
    Circumstances,
    MethodSettings,
    Recipe,
    RunDirectory,
    RunSettings,
    files,
)
from tfkd.train import evaluate_run, train_run
from tfkd.train.seeds import weights_seed
from tfkd.train.student import make_student

pytestmark = pytest.mark.usefixtures("one_thread")

# 184 training images: of a batch of 59 the processes have 29 and 30, and of the last one 3 and 4.
# Of 513 test images the last batch is for one process alone.
PLAIN = RunSettings(
    Recipe(
        data=DataSettings("own_parts:digits_513", train_size=205),
        student="own_parts:mlp",  # without batch norm
        epochs=2,
        batch_size=59,
        gradient_accumulation=2,
    )
)
KEPT = Circumstances(save_epochs=(1,))
ADAM = changed(PLAIN, optimizer=AdamW(learning_rate=0.01))
TUNED = changed(
    PLAIN,
    optimizer=SGD(weight_decay=0.05, decay_norms_and_biases=False),
    clip_gradients=0.05,
    weight_average=0.9,
)
REMEMBERING = changed(PLAIN, method=MethodSettings("remembering:both"))
BATCH_NORM = RunSettings(
    Recipe(data=DataSettings("digits", train_size=205), epochs=2, batch_size=64)
)
# Of 66 training images two are left for a last batch, one for each process.
ONE_EACH = RunSettings(
    Recipe(data=DataSettings("digits", train_size=66), student="plain_cnn", epochs=2, batch_size=32)
)

PROGRAM = """
from pathlib import Path
import msgspec
import torch
from accelerate.state import PartialState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from torch.distributed.tensor import DTensor
from tfkd.runs import Circumstances, RunSettings
from tfkd.train import accelerator, sharding, train_run
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

if how == "FSDP":
    accelerator.Accelerator = Sharded
sharding.whole = spy
torch.set_num_threads(1)
jobs = msgspec.json.decode(jobs, type=list[tuple[str, RunSettings, Circumstances, bool]])
for path, settings, circumstances, interrupted in jobs:
    if interrupted:
        often = msgspec.structs.replace(circumstances, checkpoint_seconds=0.0)
        try:
            train_run(path, settings, often, progress=Interrupt())
        except KeyboardInterrupt:
            checkpoint = read_checkpoint(Path(path, "checkpoint.pt"))
            assert (checkpoint.epochs_done, checkpoint.batches_done) == (1, 2)
    train_run(path, settings, circumstances)
assert (True in spread) == (how == "FSDP")
"""


def train_pair(folder, jobs, how):
    """Train runs in two processes: path, settings, circumstances, whether it is interrupted."""
    listed = files.to_json([(str(path), *rest) for path, *rest in jobs]).decode()
    program = written(folder / "program.py", f"jobs, how = {listed!r}, {how!r}\n{PROGRAM}")
    if how == "FSDP":  # torchrun, which takes seconds, has its turn with the other
        for process in split_off.pair(program):
            process.finish()
        return
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *torchrun, str(program)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The runs of one process."""
    folder = tmp_path_factory.mktemp("alone")
    train_run(folder / "sgd", PLAIN, KEPT)
    train_run(folder / "adam", ADAM, KEPT)
    train_run(folder / "remembering", REMEMBERING, KEPT)
    train_run(folder / "tuned", TUNED, KEPT)
    train_run(folder / "tuned-FSDP", changed(TUNED, weight_average=0.0), KEPT)
    return folder


@pytest.fixture(scope="module", params=["DDP", pytest.param("FSDP", marks=pytest.mark.long)])
def pair(request, tmp_path_factory):
    """The same runs of two processes, one of them interrupted, and one with batch norm."""
    folder = tmp_path_factory.mktemp(request.param)
    jobs = [
        (folder / "sgd", PLAIN, KEPT, False),
        (folder / "adam", ADAM, KEPT, False),
        (folder / "interrupted", ADAM, KEPT, True),
        (folder / "remembering", REMEMBERING, KEPT, True),
        (folder / "batch-norm", BATCH_NORM, Circumstances(), False),
        (folder / "one-each", ONE_EACH, Circumstances(), False),
    ]
    if request.param == "FSDP":  # whose parts timm does not average
        tuned = changed(TUNED, weight_average=0.0)
        jobs.append((folder / "tuned-FSDP", tuned, KEPT, True))
    else:
        jobs.append((folder / "tuned", TUNED, KEPT, True))
    train_pair(folder, jobs, request.param)
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
    assert results[0].samples == results[1].samples
    # Accuracy is a whole number of samples: none is counted twice or not at all.
    assert results[0].train.accuracy == results[1].train.accuracy
    assert results[1].train.loss == pytest.approx(results[0].train.loss, rel=1e-5)
    theirs = structs.asdict(results[1].test)
    assert theirs == pytest.approx(structs.asdict(results[0].test), rel=1e-3)
    labels = [load_file(path / "test.safetensors")["labels"] for path in (one, two)]
    assert torch.equal(*labels)


def test_two_processes_clip_and_average_as_one_does(alone, pair):
    """Of a pair that was interrupted, too."""
    name = "tuned" if (pair / "tuned").exists() else "tuned-FSDP"
    close(alone / name, pair / name)
    close(alone / name, pair / name, weights="snapshots/epoch-1.safetensors")
    first, plain = (load_file(alone / own / "weights.safetensors") for own in (name, "sgd"))
    assert not torch.allclose(first["1.weight"], plain["1.weight"], atol=1e-2)


def test_two_processes_remember_what_one_does_though_they_were_interrupted(alone, pair):
    close(alone / "remembering", pair / "remembering")
    first, plain = (
        load_file(alone / own / "weights.safetensors") for own in ("remembering", "sgd")
    )
    assert not torch.allclose(first["1.weight"], plain["1.weight"], atol=1e-2)


def test_a_loss_that_looks_at_the_student_is_refused_with_fsdp():
    settings = changed(PLAIN, method=MethodSettings("remembering:average"))
    sharded = SimpleNamespace(is_fsdp2=True)
    with pytest.raises(ValueError, match="no FSDP with the method remembering:average"):
        make_student(settings, load_data(settings.recipe.data), sharded)


def test_a_last_batch_of_one_image_for_each_process_is_left_out_where_it_must(pair):
    run = RunDirectory(pair / "one-each")
    assert run.result().samples.train == 66
    shares = [record.train_accuracy * 64 for record in run.history()]
    assert shares == pytest.approx([round(share) for share in shares], abs=1e-9)


def test_an_interrupted_pair_ends_the_same(pair):
    one, other = (
        load_file(pair / name / "weights.safetensors") for name in ("adam", "interrupted")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_one_process_reads_what_two_have_written(pair):
    path = pair / "batch-norm"
    measured, result = evaluate_run(path).metrics, RunDirectory(path).result()
    assert structs.asdict(measured) == pytest.approx(structs.asdict(result.test), rel=1e-4)


EVALUATION = """
import msgspec, torch
from tfkd.train import evaluate_run

torch.set_num_threads(1)
print(msgspec.json.encode([evaluate_run(path).metrics for path in paths]).decode())
"""


def test_two_processes_count_every_sample_once_where_they_evaluate(alone, tmp_path):
    # Of 513 images, and so of a last batch of one image for two processes; and of 59.
    small = tmp_path / "small"
    train_run(small, changed(PLAIN, epochs=1, data=DataSettings("digits", train_size=59)))
    paths = [str(alone / "sgd"), str(small)]
    for process in split_off.pair(written(tmp_path / "program.py", EVALUATION), paths=paths):
        for path, metrics in zip(paths, json.loads(process.finish()), strict=True):
            right = structs.asdict(RunDirectory(path).result().test)
            # Accuracy is a whole number of samples, of which none is counted twice or not at all.
            assert metrics["accuracy"] == right["accuracy"]
            assert metrics == pytest.approx(right, rel=1e-4)


def test_batch_norm_on_cpus_normalises_each_share_and_keeps_the_averages_of_the_first(pair):
    data = load_data(BATCH_NORM.recipe.data)
    torch.manual_seed(weights_seed(0))
    model = create_model(BATCH_NORM.recipe.student, num_classes=10, in_channels=1)
    second = create_model(BATCH_NORM.recipe.student, num_classes=10, in_channels=1)
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
