"""A recipe says how its network is shown photographs, where that is timm's."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tfkd.data import DataSettings
from tfkd.runs import Recipe, make_run
from tfkd.runs.preparation import prepared
from tfkd.runs.written import merged, nested

SAID = ("image_size", "fit", "crop_fraction", "interpolation", "mean", "std")
CLIP = "timm/vit_base_patch16_clip_384.openai_ft_in12k_in1k"
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def _said(written: dict[str, object]) -> dict[str, object]:
    data = make_run(written)[0].recipe.data
    return {name: getattr(data, name) for name in SAID}


def test_what_is_left_open_is_the_networks_own(tmp_path: Path) -> None:
    folder = {"data": str(tmp_path)}
    assert _said({**folder, "student": CLIP}) == {
        "image_size": 384,
        "fit": "squash",
        "crop_fraction": 0.95,
        "interpolation": "bicubic",
        "mean": MEAN,
        "std": STD,
    }
    # The tag of the weights has its own; without one it is timm's default tag.
    assert _said({**folder, "student": "timm/resnet18.tv_in1k"})["crop_fraction"] == 0.875
    assert _said(folder)["crop_fraction"] == 0.95
    assert _said({"data": "imagenet"})["interpolation"] == "bicubic"
    assert make_run({**folder, "student": CLIP})[0].recipe.student == CLIP


def test_what_is_said_has_the_last_word(tmp_path: Path) -> None:
    said = {"image_size": 64, "crop_fraction": 0.8, "mean": "0.4,0.5,0.6", "fit": "centre-crop"}
    found = _said({"data": str(tmp_path), "student": CLIP, **said})
    assert found["mean"] == (0.4, 0.5, 0.6)
    assert (found["image_size"], found["crop_fraction"], found["fit"]) == (64, 0.8, "centre-crop")
    assert (found["interpolation"], found["std"]) == ("bicubic", STD)


@pytest.mark.parametrize(
    "written",
    [
        {"data": "digits", "student": "timm/test_resnet"},
        {"data": "cifar10"},
        {"data": "digits", "image_size": 16},
        {"data": "my_data:load", "student": "timm/test_resnet"},
    ],
)
def test_other_data_keep_their_own(written: dict[str, object]) -> None:
    found = _said(written)
    assert found.pop("image_size") == written.get("image_size")
    assert set(found.values()) == {None}


def test_networks_that_are_not_timms_are_shown_what_the_data_say(tmp_path: Path) -> None:
    found = _said({"data": str(tmp_path), "student": "small_cnn", "image_size": 32})
    assert found == {name: 32 if name == "image_size" else None for name in SAID}
    assert _said({"data": str(tmp_path), "student": "my_models:network"})["image_size"] is None


@pytest.mark.parametrize("said", [{}, {"image_size": 65}, {"image_size": 224}])
def test_small_networks_are_not_trained_on_photographs(
    tmp_path: Path, said: dict[str, object]
) -> None:
    size = said.get("image_size", 224)
    message = f"timm/resnet18, which is for photo.* for images up to 64 pixels, got {size}"
    with pytest.raises(ValueError, match=message):
        make_run({"data": str(tmp_path), "student": "resnet18", **said})
    with pytest.raises(ValueError, match="resnet50 is for images up to 64"):
        make_run({"data": "imagenet", "student": "resnet50", **said})
    with pytest.raises(ValueError, match="plain_cnn is for images up to 64"):
        make_run({"data": "digits", "student": "plain_cnn", "image_size": 100})


def test_a_network_that_nobody_knows_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`student` to be the name of a known model"):
        make_run({"data": str(tmp_path), "student": "timm/resnet18.nosuchtag"})


def test_what_timm_does_otherwise_has_to_be_said() -> None:
    data = DataSettings("folder")
    with pytest.raises(ValueError, match="a value of `image_size` for timm/vit_base_patch16_sap"):
        prepared(Recipe(data=data, student="timm/vit_base_patch16_sapiens2"))
    square = DataSettings("folder", image_size=768)
    assert prepared(Recipe(data=square, student="timm/vit_base_patch16_sapiens2")).data.mean


def test_a_run_that_is_prepared_is_prepared(tmp_path: Path) -> None:
    settings, _ = make_run({"data": str(tmp_path), "student": CLIP})
    assert prepared(settings.recipe) == settings.recipe
    written = nested(msgspec.to_builtins(settings))
    assert make_run({**written, "circumstances": {"data_root": str(tmp_path)}})[0] == settings


def test_another_student_than_a_files_is_shown_its_own(tmp_path: Path) -> None:
    asked = {"data": str(tmp_path), "student": CLIP, "crop_fraction": 0.7}
    settings, circumstances = make_run(asked)
    file = nested(
        {
            **msgspec.to_builtins(settings),
            "circumstances": {"data_root": circumstances.data_root},
        }
    )
    other = make_run(merged(file, nested({"student": "timm/resnet18.tv_in1k"})))[0].recipe.data
    assert (other.image_size, other.interpolation, other.fit) == (224, "bilinear", "centre-crop")
    assert other.mean == (0.485, 0.456, 0.406)
    assert other.crop_fraction == 0.7  # which was chosen
    same = make_run(merged(file, nested({"student": CLIP, "epochs": 3})))[0].recipe.data
    assert same == settings.recipe.data
    digits = make_run(merged(file, nested({"data": "cifar10", "crop_fraction": "none"})))[0]
    assert digits.recipe.data.mean is None
    assert digits.recipe.data.image_size is None


def test_a_cache_of_repeated_images_is_refused_where_each_is_another() -> None:
    taught = {"method": "tf_kd_self", "teacher": "run", "teacher_cache": "float32"}
    with pytest.raises(ValueError, match="no `teacher_cache` with the `sampler` balanced"):
        make_run({**taught, "sampler": "balanced"})
    make_run({**taught, "sampler": "balanced", "augmentation": "none"})
    make_run({**taught, "sampler": "balanced", "teacher_cache": "none"})
    make_run(taught)
