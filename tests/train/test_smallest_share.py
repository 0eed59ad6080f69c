"""A process gets no single image where batch norm could do nothing with it, and else it may."""

import copy

import pytest
import torch
from msgspec.structs import replace

from tfkd.data import DataSettings, load_data
from tfkd.models import create_model
from tfkd.runs import Circumstances, MethodSettings, Recipe, RunSettings
from tfkd.study.plan import Arm, Study
from tfkd.study.run import check_runs
from tfkd.train import train_run
from tfkd.train.smallest_share import smallest_share

CPU = torch.device("cpu")
DATA = load_data(DataSettings("digits", train_size=66), seed=0)
RECIPE = Recipe(data=DataSettings("digits", train_size=66), batch_size=32)
NAMES = ("small_cnn", "plain_cnn", "mobilenet_v2", "shufflenet_v2", "own_parts:mlp")
NAMES += ("timm/test_resnet", "timm/test_efficientnet")


def network_called(name):
    torch.manual_seed(0)
    return create_model(name, num_classes=10, in_channels=1)


def trains_on(network, samples):
    """Whether torch takes a step on so many images."""
    network = copy.deepcopy(network).train()
    images, labels = torch.randn(samples, 1, 8, 8), torch.zeros(samples, dtype=torch.int64)
    try:
        torch.nn.functional.cross_entropy(network(images), labels).backward()
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_refused_one_image_if_torch_cannot_train_on_one(name):
    network = network_called(name)
    torch.manual_seed(1)
    before = copy.deepcopy(network.state_dict())
    drawn = torch.get_rng_state()
    alone = trains_on(network, 1)
    torch.set_rng_state(drawn)
    assert trains_on(network, 2)
    torch.set_rng_state(drawn)
    recipe = replace(RECIPE, student=name, batch_size=1)
    if alone:
        assert smallest_share(network, recipe, DATA, processes=1, device=CPU) == 1
    else:
        with pytest.raises(ValueError, match=r"`batch_size` of at least 2, got 1: batch norm"):
            smallest_share(network, recipe, DATA, processes=1, device=CPU)
    # Of 66 images two are left for two processes.
    recipe = replace(recipe, batch_size=32)
    assert smallest_share(network, recipe, DATA, processes=2, device=CPU) == (1 if alone else 2)
    # Nothing is drawn, and the network is as it was.
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(module.training for module in network.modules())
    after = network.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_both_kinds_of_networks_are_among_them():
    assert {trains_on(network_called(name), 1) for name in NAMES} == {True, False}


@pytest.mark.parametrize(
    ("processes", "batch_size", "train_size", "message"),
    [
        (2, 1, 66, "`batch_size` of at least 2, an image for each process, got 1"),
        (2, 3, 66, "`batch_size` of at least 4, 2 images for each of 2 processes, got 3"),
        (2, 32, 3, "at least 4 training images, 2 for each process, got 3"),
    ],
)
def test_what_is_too_small_for_several_processes_is_refused(
    processes, batch_size, train_size, message
):
    data = load_data(DataSettings("digits", train_size=66), seed=0)
    data.train.indices = data.train.indices[:train_size]
    recipe = replace(RECIPE, student="plain_cnn", batch_size=batch_size)
    with pytest.raises(ValueError, match=message):
        smallest_share(network_called("plain_cnn"), recipe, data, processes=processes, device=CPU)


def test_a_network_is_asked_only_where_it_matters():
    recipe = replace(RECIPE, student="plain_cnn")
    for processes, batch_size, device in ((1, 65, CPU), (2, 33, CPU), (2, 2, torch.device("cuda"))):
        recipe = replace(recipe, batch_size=batch_size)
        assert smallest_share(None, recipe, DATA, processes=processes, device=device) == 1


def test_a_network_without_that_need_trains_on_batches_of_one(tmp_path):
    recipe = Recipe(data=DataSettings("digits", train_size=12), epochs=1, batch_size=1)
    assert train_run(tmp_path / "run", RunSettings(recipe)).samples.train == 12


def test_frozen_norms_take_one_image(tmp_path):
    # All of its norms are in what is frozen.
    recipe = Recipe(
        data=DataSettings("digits", train_size=12),
        student="timm/test_resnet",
        freeze="backbone",
        epochs=1,
        batch_size=1,
    )
    study = Study("small", "?", (Arm("a", MethodSettings(), recipe),), seeds=1)
    check_runs(study, study.runs(tmp_path), tmp_path, Circumstances())
    assert train_run(tmp_path / "run", RunSettings(recipe)).epochs == 1
    with pytest.raises(ValueError, match="`batch_size` of at least 2, got 1"):
        train_run(tmp_path / "all", RunSettings(replace(recipe, freeze="none")))


def test_a_study_with_batches_of_one_is_refused_beforehand(tmp_path):
    recipe = replace(RECIPE, student="plain_cnn", batch_size=1)
    study = Study("small", "?", (Arm("a", MethodSettings(), recipe),), seeds=1)
    with pytest.raises(ValueError, match=r"`batch_size` of at least 2, got 1"):
        check_runs(study, study.runs(tmp_path), tmp_path, Circumstances())
    assert list(tmp_path.iterdir()) == []
