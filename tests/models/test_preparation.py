"""Which networks are for which images."""

from __future__ import annotations

import pytest
import timm
import torch

from tfkd.models import create_model, model_names
from tfkd.models.preparation import check_image_size, preparation_of


def test_networks_for_small_images_name_their_counterpart_of_timm() -> None:
    for name in model_names():
        assert preparation_of(name) is None
        check_image_size(name, 64)
        with pytest.raises(ValueError, match=f"{name} is for images up to 64 pixels") as caught:
            check_image_size(name, 65)
        (counterpart,) = (w for w in str(caught.value).split() if w.startswith("timm/"))
        assert timm.is_model(counterpart.removeprefix("timm/").rstrip(","))
    check_image_size("timm/resnet18", 2000)
    check_image_size("my_models:network", 2000)


def test_resnet18_on_photographs_is_answered_in_a_sentence() -> None:
    expected = (
        r"^Expected `student` timm/resnet18, which is for photographs, or `image_size` 32: "
        r"resnet18 is for images up to 64 pixels, got 224\.$"
    )
    with pytest.raises(ValueError, match=expected):
        check_image_size("resnet18", 224)


@pytest.mark.parametrize("name", ["resnet18_nope", "timm/resnet18.nosuchtag"])
def test_a_name_that_nobody_knows_is_refused_by_the_option(name: str) -> None:
    with pytest.raises(ValueError, match="Expected `student` to be the name of a known model"):
        preparation_of(name)


@pytest.mark.parametrize("name", ["test_vit", "timm/test_vit3.r160_in1k", "test_resnet"])
def test_networks_of_one_size_are_built_for_the_size_that_is_asked_for(name: str) -> None:
    for size in (64, 96):
        network = create_model(name, num_classes=3, image_size=size).eval()
        with torch.no_grad():
            assert network(torch.zeros(1, 3, size, size)).shape == (1, 3)
    own = create_model(name, num_classes=3).state_dict()
    asked = create_model(name, num_classes=3, image_size=160).state_dict()
    assert {key: value.shape for key, value in asked.items()} == {
        key: value.shape for key, value in own.items()
    }
