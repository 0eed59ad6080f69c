"""Two processes, each with a seed and batch norms of its own: one average, the same everywhere."""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from split_off import SPLIT
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import tfkd


def _train(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    for kind in (tfkd.MeanTeacher, tfkd.BetaTeacher):
        torch.manual_seed(rank)
        student = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Linear(6, 4))
        criterion = tfkd.DistillationLoss(kind(student), alpha=0.5)
        parallel = DistributedDataParallel(student)  # takes the first process's weights
        optimizer = torch.optim.SGD(parallel.parameters(), 0.1)
        for _ in range(4):
            inputs, labels = torch.randn(8, 3), torch.randint(4, (8,))
            criterion(parallel(inputs), labels, inputs).backward()
            optimizer.step()
            optimizer.zero_grad()
            criterion.step_ended(parallel)
        torch.save(criterion.state_dict(), f"{folder}/{kind.__name__}-{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.long
def test_the_average_and_its_statistics_are_the_same_in_both(tmp_path):
    processes = [SPLIT.Process(target=_train, args=(rank, str(tmp_path))) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    for name in ("MeanTeacher", "BetaTeacher"):
        first, second = (torch.load(tmp_path / f"{name}-{rank}.pt") for rank in range(2))
        assert first.keys() == second.keys()
        for key, value in first.items():
            assert torch.equal(value, second[key]), key
        assert first["teacher.network.1.running_mean"].abs().max() > 0.0
