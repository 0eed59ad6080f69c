"""Training on a GPU: in half precision, resumed, and as a process of NCCL."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from tfkd.data import DataSettings
from tfkd.runs import Circumstances, MethodSettings, Recipe, RunSettings
from tfkd.train import train_run
from tfkd.train.progress import Silent
from tfkd.train.student import laid_out

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
DATA = DataSettings("digits", train_size=210, validation_fraction=0.1)


def settings(precision):
    recipe = Recipe(data=DATA, epochs=3, batch_size=64, mixed_precision=precision)
    return RunSettings(recipe, MethodSettings("tf_kd_reg"))


class Interrupt(Silent):
    """Stops a run after its first epoch."""

    def epoch(self, record):
        raise KeyboardInterrupt


@pytest.mark.parametrize("precision", ["no", "bf16", "fp16"])
def test_a_run_learns_and_is_resumed(precision, tmp_path):
    often = Circumstances(checkpoint_seconds=0.0)
    whole = train_run(tmp_path / "whole", settings(precision), often)
    with pytest.raises(KeyboardInterrupt):
        train_run(tmp_path / "resumed", settings(precision), often, progress=Interrupt())
    resumed = train_run(tmp_path / "resumed", settings(precision), often)
    assert whole.test.accuracy > 0.5
    assert resumed.test.nll == pytest.approx(whole.test.nll, rel=0.05)


def test_a_process_of_nccl_trains_as_one_alone(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "1"]
    train = ["-m", "tfkd.cli", "train", "--data", "digits", "--epochs", "2", "--batch-size", "64"]
    command = [*launch, *train, "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "run" / "result.json").exists()


def test_batch_norm_is_that_of_all_processes(tmp_path):
    torch.distributed.init_process_group(
        "nccl", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    try:
        network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)).cuda()
        x = torch.randn(8, 1, 6, 6, device="cuda")
        expected = network(x)
        device = torch.device("cuda")
        synced = laid_out(network, device=device, processes=2, sharded=False)
        assert any(isinstance(module, nn.SyncBatchNorm) for module in synced.modules())
        torch.testing.assert_close(synced(x), expected)
    finally:
        torch.distributed.destroy_process_group()
