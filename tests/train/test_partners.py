"""Runs whose images have partners: held against loops by hand, and against themselves resumed."""

import json

import pytest
import split_off
import torch
from own_parts import changed
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

import tfkd
from tfkd.data import DataSettings, load_data, make_loader
from tfkd.method_table import METHODS, Method
from tfkd.models import create_model
from tfkd.runs import (
    Circumstances,
    Constant,
    MethodSettings,
    Recipe,
    RunDirectory,
    RunSettings,
    RunTeacher,
)
from tfkd.train import train_run
from tfkd.train.progress import Silent
from tfkd.train.seeds import step_seed, weights_seed
from tfkd.train.step.plan import StepPlan, check_partners

pytestmark = pytest.mark.usefixtures("one_thread")

DATA = DataSettings("own_parts:cropped_digits", train_size=50)
CS_KD = RunSettings(
    Recipe(data=DATA, epochs=3, batch_size=16, schedule=Constant(warmup_epochs=0.0)),
    MethodSettings("cs_kd"),
)
DLB = changed(CS_KD, method=MethodSettings("dlb"))
BOTH = pytest.mark.parametrize("settings", [CS_KD, DLB], ids=["cs_kd", "dlb"])


def divergence(logits, teacher, tau):
    log_p, t = log_softmax(logits / tau, 1), softmax(teacher.detach() / tau, 1)
    return tau**2 * kl_div(log_p, t, reduction="batchmean")


def by_hand(settings):
    """The network of a run trained by a plain loop; loss and accuracy of its epochs."""
    recipe = settings.recipe
    data = load_data(recipe.data)
    torch.manual_seed(weights_seed(0))
    model = create_model(recipe.student, num_classes=10, in_channels=1)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4)
    partners = settings.method.row.partners
    loader = make_loader(
        data, data.train, batch_size=16, train=True, channels_last=True, partners=partners
    )
    said, history, size = None, [], len(data.train)
    for epoch in range(recipe.epochs):
        total = hits = 0.0
        for number, batch in enumerate(loader.batches(epoch)):
            step, within = divmod(number, recipe.gradient_accumulation)
            if within == 0:
                torch.manual_seed(step_seed(0, epoch=epoch, step=step, rank=0))
                first = number * 16
                samples = min(first + 16 * recipe.gradient_accumulation, size) - first
            if partners == "of the class":
                logits = model(batch.images)
                with torch.no_grad():
                    teacher = model(batch.partners.images)
                loss = cross_entropy(logits, batch.labels) + divergence(logits, teacher, 4.0)
            else:
                logits = model(batch.images)
                again = None if batch.partners is None else model(batch.partners.images)
                loss = cross_entropy(logits, batch.labels)
                if again is not None:
                    labels = torch.cat([batch.partners.labels, batch.labels])
                    loss = cross_entropy(torch.cat([again, logits]), labels)
                    loss = loss + divergence(again, said, 3.0)
                said = logits.detach()
            (loss * len(batch.labels) / samples).backward()
            total += loss.item() * len(batch.labels)
            hits += (logits.argmax(1) == batch.labels).sum().item()
            if within + 1 == recipe.gradient_accumulation or number + 1 == len(loader):
                optimizer.step()
                optimizer.zero_grad()
        history.append((total / size, hits / size))
    return model, history


@BOTH
@pytest.mark.parametrize("accumulation", [1, 3])
def test_a_run_is_the_loop_by_hand(settings, accumulation, tmp_path):
    settings = changed(settings, gradient_accumulation=accumulation)
    train_run(tmp_path / "run", settings)
    model, history = by_hand(settings)
    weights = load_file(tmp_path / "run" / "weights.safetensors")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(weights[name], value, rtol=1e-4, atol=1e-5, msg=name)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    for line, (loss, accuracy) in zip(map(json.loads, lines), history, strict=True):
        assert line["train_loss"] == pytest.approx(loss, rel=1e-4)
        assert line["train_accuracy"] == pytest.approx(accuracy)


class Interrupt(Silent):
    def __init__(self, steps):
        self.left = steps

    def step(self):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


OFTEN = Circumstances(checkpoint_seconds=0.0)


@BOTH
@pytest.mark.parametrize("steps", [2, 6, 9], ids=["at once", "half-way", "between epochs"])
def test_an_interrupted_run_ends_with_the_same_bits(settings, steps, tmp_path):
    whole = train_run(tmp_path / "whole", settings)
    with pytest.raises(KeyboardInterrupt):
        train_run(tmp_path / "run", settings, OFTEN, progress=Interrupt(steps))
    resumed = train_run(tmp_path / "run", settings)
    assert resumed.test == whole.test
    ours, theirs = (load_file(tmp_path / n / "weights.safetensors") for n in ("run", "whole"))
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


@BOTH
def test_files_the_balanced_sampler_and_bf16_have_partners(settings, images, tmp_path):
    data = DataSettings("folder", image_size=8, validation_fraction=0.0, sampler="balanced")
    settings = changed(settings, data=data, epochs=2, mixed_precision="bf16")
    circumstances = Circumstances(data_root=str(images))
    assert train_run(tmp_path / "run", settings, circumstances).test.nll > 0.0


PROGRAM = """
import msgspec
import torch
from tfkd.runs import Circumstances, RunSettings
from tfkd.train import train_run
from tfkd.train.progress import Silent

class Interrupt(Silent):
    left = 6
    def step(self):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

torch.set_num_threads(1)
jobs = msgspec.json.decode(jobs, type=list[tuple[str, RunSettings, bool]])
for path, settings, interrupted in jobs:
    if not interrupted:
        train_run(path, settings)
        continue
    try:
        train_run(path, settings, Circumstances(checkpoint_seconds=0.0), progress=Interrupt())
    except KeyboardInterrupt:
        pass
"""


def test_two_processes_do_what_one_does(tmp_path):
    # Batches of 16, and a last one of 2: one image for each process. Without batch norm.
    plain = [changed(own, student="own_parts:mlp") for own in (CS_KD, DLB)]
    jobs = [(str(tmp_path / f"pair-{n}"), own, False) for n, own in enumerate(plain)]
    jobs.append((str(tmp_path / "moved"), plain[1], True))
    # With it, the buffers of the first process are handed round before every step.
    jobs += [(str(tmp_path / f"norm-{n}"), own, False) for n, own in enumerate((CS_KD, DLB))]
    listed = tfkd.runs.files.to_json(jobs).decode()
    program = split_off.written(tmp_path / "program.py", PROGRAM)
    for process in split_off.pair(program, jobs=listed):
        process.finish()
    train_run(tmp_path / "moved", plain[1])  # begun by two processes, and finished by one
    for number, own in enumerate(plain):
        train_run(tmp_path / f"one-{number}", own)
    for other, one in (("pair-0", "one-0"), ("pair-1", "one-1"), ("moved", "one-1")):
        ours, theirs = (load_file(tmp_path / n / "weights.safetensors") for n in (other, one))
        for name, value in theirs.items():
            torch.testing.assert_close(ours[name], value, rtol=1e-3, atol=1e-5, msg=name)
    assert RunDirectory(tmp_path / "norm-1").result() is not None


# What is refused before training.


@BOTH
@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixtures_have_no_partners(settings, name):
    why = "of the same class" if settings is CS_KD else "would be another mixture"
    with pytest.raises(
        ValueError, match=rf"Expected no `{name}` with the method .*got 0\.2.*{why}"
    ):
        changed(settings, **{name: 0.2})


def test_a_cache_knows_nothing_of_partners(monkeypatch):
    composition = {"tfkd": "tfkd.methods:knowledge_distillation"}
    own = Method("own", "own", "a larger network", composition, partners="of the class")
    monkeypatch.setitem(METHODS, "own", own)
    taught = RunSettings(CS_KD.recipe, MethodSettings("own"), RunTeacher(run="t"))
    with pytest.raises(ValueError, match="no `teacher_cache` with the method own, got float32"):
        changed(taught, teacher=RunTeacher(run="t", cache="float32"))
    with pytest.raises(ValueError, match="Expected no `teacher` for the method dlb"):
        changed(DLB, teacher=RunTeacher(run="t", cache="float32"))


def test_a_last_batch_that_is_not_trained_cannot_be_shown_once_more():
    plan = StepPlan(samples=50, batches=4, batch_size=16, accumulation=1, processes=3)
    check_partners(CS_KD, plan)
    with pytest.raises(ValueError, match=r"at least 3 images, 1 for each of 3 processes, for dlb"):
        check_partners(DLB, plan)
    check_partners(DLB, StepPlan(50, 4, 16, 1, processes=2))
