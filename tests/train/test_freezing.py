"""What is frozen ends as it began, to the last bit, and all else is trained."""

from __future__ import annotations

import pytest
import torch
from own_parts import changed
from safetensors.torch import load_file

from tfkd.data import DataSettings
from tfkd.models import create_model
from tfkd.runs import AdamW, Recipe, RunSettings
from tfkd.train import train_run
from tfkd.train.freezing import count_parameters, freeze
from tfkd.train.seeds import weights_seed

pytestmark = pytest.mark.usefixtures("one_thread")

SETTINGS = RunSettings(
    Recipe(
        data=DataSettings("digits", train_size=60, validation_fraction=0.1, image_size=32),
        student="timm/test_resnet",
        epochs=2,
        batch_size=30,
        optimizer=AdamW(weight_decay=0.1),
    )
)
# Of timm's test_resnet, written out: which names each stage has.
STAGES = ("conv1", "layer1", "layer2", "layer3", "layer4", "fc")


def stage(name):
    part = name.partition(".")[0]
    return STAGES.index("conv1" if part == "bn1" else part)


def moved(path, settings):
    """Names of what changed in training, averages of norms and their counters among it."""
    torch.manual_seed(weights_seed(settings.seed))
    before = create_model(settings.recipe.student, num_classes=10, in_channels=1).state_dict()
    after = load_file(path / "weights.safetensors")
    return {name for name in before if not torch.equal(before[name], after[name])}, set(before)


@pytest.mark.parametrize("stages", [1, 3, 5])
def test_the_first_stages_stay_and_the_others_learn(stages, tmp_path):
    settings = changed(SETTINGS, freeze=str(stages))
    train_run(tmp_path / "run", settings)
    changes, names = moved(tmp_path / "run", settings)
    assert changes == {name for name in names if stage(name) >= stages}


@pytest.mark.parametrize("student", ["timm/test_resnet", "small_cnn", "plain_cnn"])
def test_the_backbone_stays_and_the_classifier_learns(student, tmp_path):
    settings = changed(SETTINGS, student=student, freeze="backbone", weight_average=0.5, epochs=1)
    train_run(tmp_path / "run", settings)
    heads = {"timm/test_resnet": "fc.", "small_cnn": "classifier.2.", "plain_cnn": "classifier.4."}
    changes, names = moved(tmp_path / "run", settings)
    assert changes == {name for name in names if name.startswith(heads[student])}


@pytest.mark.parametrize(
    ("student", "what", "message"),
    [
        ("timm/test_resnet", "6", "`freeze` of at most 5 for timm/test_resnet"),
        (
            "small_cnn",
            "1",
            "a network of timm, which says its stages, for `freeze` 1, got small_cnn",
        ),
        ("own_parts:ends_with_softmax", "backbone", "classifier is known for `freeze` backbone"),
    ],
)
def test_what_cannot_be_frozen_is_refused_before_anything_is_written(
    student, what, message, tmp_path
):
    with pytest.raises(ValueError, match=message):
        train_run(tmp_path / "run", changed(SETTINGS, student=student, freeze=what))
    assert not (tmp_path / "run").exists()


def test_norms_without_parameters_are_as_what_comes_before_them():
    network = create_model("timm/test_resnet", num_classes=3)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_parameter("weight", None)
            module.register_parameter("bias", None)
    still = freeze(network, "2", name="it")
    assert {name.partition(".")[0] for name in still} == {"conv1", "bn1", "layer1"}


def test_it_is_counted_what_is_trained():
    """Of `small_cnn`: convolutions of 3x3 without bias, their norms, a hidden layer of 64."""
    network = create_model("small_cnn", num_classes=10, in_channels=1)
    every = (1 * 16 + 16 * 32) * 9 + 2 * (16 + 32) + (32 * 4 + 1) * 64 + (64 + 1) * 10
    assert count_parameters(network) == (every, every)
    freeze(network, "backbone", name="small_cnn")
    assert count_parameters(network) == (every, 650)
