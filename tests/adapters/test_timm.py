"""timm's tasks with our criteria do what a plain loop does, as timm's training loop calls them."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import numpy as np
import pytest
import split_off
import torch
import torch.nn.functional as F

import tfkd
from tfkd.adapters.timm import criterion_task

ROOT = Path(__file__).parents[2]
CLASSES, RATE, DECAY = 5, 0.1, 0.8


@pytest.fixture(scope="module", autouse=True)
def _host(one_thread):
    pytest.importorskip("timm.task", reason="older versions of timm have no tasks")


def network(seed=0):
    import timm

    torch.manual_seed(seed)
    return timm.create_model("test_vit", img_size=32, num_classes=CLASSES)


def batches(number=4):
    generator = torch.Generator().manual_seed(1)
    for _ in range(number):
        images = torch.rand(6, 3, 32, 32, generator=generator)
        yield images, torch.randint(CLASSES, (6,), generator=generator)


def mixed(number=4):
    """Mixed as timm mixes by default but for its own smoothing, which is on unless it is off."""
    from timm.data import Mixup

    mixup = Mixup(mixup_alpha=0.8, label_smoothing=0.0, num_classes=CLASSES)
    np.random.seed(0)
    return [mixup(*batch) for batch in batches(number)]


def sgd(model):
    return torch.optim.SGD(model.parameters(), RATE)


def as_timm_trains(task, shown, optimizer):
    """What timm's training script calls, in its order: it never says where an epoch ends."""
    task.get_trainable_module().train()
    for at, (images, labels) in enumerate(shown):
        task(images, labels)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        task.update_ema(step=at + 1)


def plain_loop(model, shown, loss, average=None):
    for at, (images, labels) in enumerate(shown):
        model.zero_grad()
        loss(model(images), labels, images).backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= RATE * parameter.grad
            for name, value in average.state_dict().items() if average else ():
                value.lerp_(model.state_dict()[name], 1 - DECAY if at else 1.0)


def same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-4, atol=1e-6, msg=name)


def test_timm_takes_a_criterion_that_needs_no_inputs_as_its_own():
    from timm.task import ClassificationTask

    model, expected = network(), network()
    task = ClassificationTask(model, tfkd.label_smoothing(0.2), verbose=False)
    as_timm_trains(task, mixed(), sgd(model))
    plain_loop(expected, mixed(), lambda z, q, _: F.cross_entropy(z, 0.8 * q + 0.2 / CLASSES))
    assert (network().head.weight - model.head.weight).abs().max() > 1e-2
    same(model.state_dict(), expected.state_dict())


def test_a_task_with_a_network_that_teaches_does_what_a_plain_loop_does():
    from timm.task import ClassificationTask

    model, expected, teacher = network(), network(), network(seed=1).eval()
    average = copy.deepcopy(expected)
    criterion = tfkd.knowledge_distillation(teacher, alpha=0.6, temperature=2.0)
    task = criterion_task(model, criterion, verbose=False)
    assert isinstance(task, ClassificationTask)
    task.setup_ema(decay=DECAY)
    as_timm_trains(task, mixed(), sgd(model))

    def loss(logits, labels, images):
        with torch.no_grad():
            taught = (teacher(images) / 2).log_softmax(1)
        soft = F.kl_div((logits / 2).log_softmax(1), taught, reduction="batchmean", log_target=True)
        return 0.4 * F.cross_entropy(logits, labels) + 0.6 * 4 * soft

    plain_loop(expected, mixed(), loss, average)
    same(model.state_dict(), expected.state_dict())
    same(task.get_eval_model(ema=True).module.state_dict(), average.state_dict())
    assert "task_state" not in task.get_checkpoint_state()  # such a criterion remembers nothing


def test_a_task_of_several_labels_does_what_a_plain_loop_does():
    model, expected, teacher = network(), network(), network(seed=1).eval()
    shown = [
        (images, (torch.arange(CLASSES) + labels.unsqueeze(1)) % 3 == 0)
        for images, labels in batches()
    ]
    criterion = tfkd.binary_knowledge_distillation(teacher, alpha=0.6, temperature=2.0)
    as_timm_trains(criterion_task(model, criterion, verbose=False), shown, sgd(model))

    def loss(logits, labels, images):
        with torch.no_grad():
            taught = torch.sigmoid(teacher(images) / 2)
        soft = F.binary_cross_entropy_with_logits(logits / 2, taught)
        return 0.4 * F.binary_cross_entropy_with_logits(logits, labels.float()) + 0.6 * 4 * soft

    plain_loop(expected, shown, loss)
    same(model.state_dict(), expected.state_dict())


def remembering(model):
    # An epoch is 12 samples, two batches; timm tells of none.
    criterion = tfkd.mean_teacher(model, decay=0.9, ramp_up=2, samples_per_epoch=12)
    return criterion_task(model, criterion, verbose=False)


def test_what_a_criterion_remembers_is_resumed_with_the_task(tmp_path):
    from timm.task import resume_task_checkpoint
    from timm.utils import CheckpointSaver

    shown = list(batches(6))
    model = network()
    task, optimizer = remembering(model), sgd(model)
    task.setup_ema(decay=DECAY)
    as_timm_trains(task, shown[:3], optimizer)
    saver = CheckpointSaver(model, optimizer, task=task, checkpoint_dir=str(tmp_path))
    saver.save_checkpoint(0)
    as_timm_trains(task, shown[3:], optimizer)
    assert task.criterion.progress == (2, 6)

    model = network(seed=2)
    resumed, optimizer = remembering(model), sgd(model)
    file = str(tmp_path / "last.pth.tar")
    assert resume_task_checkpoint(resumed, file, optimizer, log_info=False) == 1
    as_timm_trains(resumed, shown[3:], optimizer)
    # The state of a task holds the network's and the criterion's.
    ours, theirs = resumed.state_dict(), task.state_dict()
    theirs = {name: theirs[name] for name in theirs if "_ema." not in name}
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())

    saved = torch.load(file, weights_only=False)
    with pytest.raises(RuntimeError, match="Expected a `task_state` in the checkpoint"):
        remembering(network()).load_checkpoint_state(saved["state_dict"])


def test_a_loss_that_sees_no_images_is_named():
    with pytest.raises(TypeError, match="`criterion` to be a criterion of tfkd"):
        criterion_task(network(), torch.nn.CrossEntropyLoss())


PAIR = """
import os
import runpy
import torch
import torch.distributed as dist

own = runpy.run_path(test)
torch.set_num_threads(1)
dist.init_process_group("gloo")
rank = dist.get_rank()
model = own["network"]()
task = own["remembering"](model)
task.prepare_distributed()
shown = [(x[3 * rank :][:3], y[3 * rank :][:3]) for x, y in own["batches"]()]
own["as_timm_trains"](task, shown, own["sgd"](model))
torch.save([model.state_dict(), task.criterion.state_dict()], f"{folder}/{rank}")
dist.destroy_process_group()
"""


def test_two_processes_do_what_one_does(tmp_path):
    program = split_off.written(tmp_path / "pair.py", PAIR)
    processes = split_off.pair(program, test=str(Path(__file__)), folder=str(tmp_path))
    model = network()
    task = remembering(model)
    as_timm_trains(task, batches(), sgd(model))
    for process in processes:
        process.finish()
    for rank in range(2):
        weights, memory = torch.load(tmp_path / f"{rank}")
        same(weights, model.state_dict())
        same(memory, task.criterion.state_dict())


def test_the_page_of_this_host_runs():
    page = (ROOT / "docs" / "hosts" / "timm.md").read_text(encoding="utf-8")
    plain, adapted = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    loader = list(batches(3))
    names = {"tfkd": tfkd, "model": network(seed=1), "images": loader[0][0], "labels": loader[0][1]}
    exec(plain, names)
    names["loss"].backward()
    assert all(parameter.grad is not None for parameter in names["model"].parameters())
    names = {"teacher": network(seed=1), "loader": loader}
    exec(adapted, names)
    assert names["criterion"].progress == (1, 3)
