"""What of a network its classifier is, and its stages."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from tfkd.models import create_model, model_names
from tfkd.models.parts import classifier_names, stages

TIMMS = ("test_resnet", "test_vit", "test_convnext", "test_efficientnet", "test_mambaout")


@pytest.mark.parametrize("name", [*model_names(), *(f"timm/{own}" for own in TIMMS)])
def test_the_classifier_is_what_has_an_output_for_each_class(name):
    """And nothing else changes with the number of classes."""
    with torch.device("meta"):
        three, four = (create_model(name, num_classes=k).state_dict() for k in (3, 4))
    differing = {key for key in three if three[key].shape != four[key].shape}
    heads = classifier_names(create_model(name, num_classes=3))
    assert differing
    assert {key.rpartition(".")[0] for key in differing} == set(heads)


def test_of_what_ends_with_something_else_it_is_not_known():
    assert classifier_names(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))) == ()
    assert classifier_names(nn.Sequential(nn.Linear(2, 3), nn.Softmax(1))) == ("0",)


def test_stages_are_timms_from_the_stem_on():
    network = timm.create_model("resnet18", num_classes=3)
    found = stages(network)
    expected = {"conv1": 0, "bn1": 0, **{f"layer{n}": n for n in (1, 2, 3, 4)}, "fc": 5}
    assert {key: expected[key.partition(".")[0]] for key in found} == found
    assert set(found) == dict(network.named_parameters()).keys()
    assert stages(create_model("small_cnn", num_classes=3)) is None


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("timm/test_vit", {"drop_pathrate": 0.1}, "got drop_pathrate, .* mean drop_path_rate?"),
        ("timm/test_vit", {"global_pool": "nope"}, "got global_pool=nope: "),
        ("timm/test_vit", {"num_classes": 3}, "Expected no 'num_classes' in `model_option`"),
        ("timm/test_vit", {"checkpoint_path": "x"}, "Expected no 'checkpoint_path'"),
        ("small_cnn", {"width": 3}, "got width, which it does not take"),
        ("own_parts:mlp", {"width": 3}, "width"),
    ],
)
def test_options_that_a_network_does_not_take_are_named(name, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        create_model(name, num_classes=3, options=options)
    assert "\n" not in str(caught.value)


def test_options_reach_the_network():
    network = create_model("timm/test_resnet", num_classes=3, options={"drop_rate": 0.4})
    assert network.drop_rate == 0.4
