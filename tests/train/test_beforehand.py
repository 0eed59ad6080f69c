"""All that may be wrong is found, with the true data and networks, before anything is written."""

import sys

import pytest
import torch
from msgspec.structs import replace
from own_parts import changed
from PIL import Image
from safetensors.torch import save_file
from study_progress import Recording

from tfkd.data import DataSettings
from tfkd.models import create_model
from tfkd.runs import (
    Circumstances,
    MethodSettings,
    Recipe,
    RunSettings,
    RunTeacher,
    WeightsTeacher,
)
from tfkd.study.plan import Arm, Study
from tfkd.study.run import run_study
from tfkd.train import train_run
from tfkd.train.teacher_first import train_teacher_first
from tfkd.tune.plan import Tuning
from tfkd.tune.progress import SilentTuning
from tfkd.tune.run import tune

DATA = DataSettings("digits", train_size=60)
PLAIN = RunSettings(Recipe(data=DATA, epochs=2, batch_size=30))
KD = MethodSettings("knowledge_distillation")


def method(name, **numbers):
    return changed(PLAIN, method=MethodSettings(name, numbers=numbers))


def data(**changes):
    return changed(PLAIN, data=replace(DATA, **changes))


WRONG = {
    "a confidence that is less than a guess": (
        method("tf_kd_reg", confidence=0.05),
        r"`confidence`.*0\.05",
    ),
    "images that the network does not take": (
        changed(data(image_size=20), student="timm/test_vit"),
        "a `student` that takes images of 1 × 20 × 20, but timm/test_vit does not",
    ),
    "options that the network does not take": (
        changed(
            data(image_size=32), student="timm/test_efficientnet", model_option={"drop_rate": 5}
        ),
        r"a `student` that takes images of 1 × 32 × 32, but timm/test_efficientnet with "
        r"`model_option` drop_rate=5 does not: [^.]*\. Try other `model_option`, another "
        r"`image_size`, or another network\.$",
    ),
    "images that the network cannot be built for": (
        changed(data(image_size=8), student="timm/xcit_nano_12_p16_224"),
        "`image_size` that timm/xcit_nano_12_p16_224 can be built for, got 8",
    ),
    "images that are too large for a small network": (
        changed(data(image_size=65), student="resnet18"),
        "timm/resnet18, which is for photographs, .* is for images up to 64 pixels, got 65",
    ),
    "a cut of images of one size": (data(crop_fraction=0.9), "no `crop_fraction` for digits"),
    "a mean of three channels": (
        data(mean=(0.4, 0.5, 0.6)),
        "`mean` to be a number for each channel, of which there are 1, or one for all, got 3",
    ),
    "images that one's own network does not take": (
        changed(PLAIN, student="own_parts:images_of_28"),
        "a `student` that takes images of 1 × 8 × 8, but own_parts:images_of_28 does not",
    ),
    "answers for other classes": (
        changed(PLAIN, student="own_parts:five_logits"),
        r"logits of shape \(1, 10\) from own_parts:five_logits, got \(1, 5\)",
    ),
    "an unknown network": (changed(PLAIN, student="smal_cnn"), "'smal_cnn'.*small_cnn"),
    "a module that is not there": (changed(PLAIN, student="not_there:f"), "a module not_there"),
    "no network": (changed(PLAIN, student="own_parts:cropped_digits"), "cropped_digits"),
    "weights that a network has not": (changed(PLAIN, pretrained=True), "`pretrained`"),
    "batches of one where batch norm has one value": (
        changed(PLAIN, student="plain_cnn", batch_size=1),
        "`batch_size` of at least 2, got 1: batch norm of plain_cnn",
    ),
    "more images than there are": (data(train_size=5000), "`train_size` from 10 .* to 1081"),
    "fewer images than classes": (data(train_size=9), "`train_size` from 10"),
    "a validation split that leaves nothing": (
        data(train_size=None, validation_fraction=0.999),
        "training images of every class",
    ),
    "data that are none": (data(name="own_parts:mlp"), "mlp"),
    "a folder without its place": (data(name="folder"), "the path of the folder"),
    "a teacher that is not there": (
        changed(PLAIN, method=KD, teacher=RunTeacher(run="{}/none")),
        "a run in .*none",
    ),
    "weights that are not there": (
        changed(PLAIN, method=KD, teacher=WeightsTeacher(model="wide_cnn", weights="{}/none")),
        "weights in .*none",
    ),
    "weights of another network": (
        changed(PLAIN, method=KD, teacher=WeightsTeacher(model="wide_cnn", weights="{}/w")),
        "do not fit the model",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_leaves_nothing_behind(what, tmp_path, tree):
    torch.manual_seed(0)
    network = create_model("small_cnn", num_classes=10, in_channels=1)
    save_file(network.state_dict(), tmp_path / "w")
    settings, message = WRONG[what]
    if settings.teacher is not None:
        teacher = settings.teacher.moved(lambda path: path.format(tmp_path))
        settings = replace(settings, teacher=teacher)
    before = tree(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError, TypeError), match=message):
        train_run(tmp_path / "run", settings)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("form", ["top-10", "top-11"])
def test_a_cache_of_all_classes_is_refused_before_the_teacher_is_trained(form, tmp_path):
    message = f"`teacher_cache` of fewer than the 10 classes, got {form}: float16 stores all"
    taught = changed(PLAIN, method=KD, teacher=RunTeacher(run="small_cnn", cache=form))
    with pytest.raises(ValueError, match=message):
        train_teacher_first(tmp_path / "run", taught, Circumstances())
    arms = (
        Arm("plain", MethodSettings(), PLAIN.recipe),
        Arm("taught", KD, PLAIN.recipe, teacher="plain"),
    )
    study = Study("small", "?", arms, seeds=1, teacher_cache=form)
    with pytest.raises(ValueError, match=message):
        run_study(study, tmp_path / "study", progress=Recording())
    plan = Tuning(
        recipe=PLAIN.recipe, teacher="wide_cnn", methods=("tf_kd_self",), teacher_cache=form
    )
    with pytest.raises(ValueError, match=message):
        tune(plan, tmp_path / "tuning", progress=SilentTuning())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("inside", [".", "run", "cat/run", "../link/run"])
def test_nothing_is_written_among_the_images(inside, overwrite, tmp_path, tree):
    photos = tmp_path / "photos"
    for name in ("cat", "dog"):
        (photos / name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (8, 8), (number, len(name), 0)).save(photos / name / f"{number}.png")
    (tmp_path / "link").symlink_to(photos)
    recipe = Recipe(data=DataSettings("folder", image_size=8), epochs=1, batch_size=4)
    taught = RunSettings(recipe, method=KD, teacher=RunTeacher(run="small_cnn"))
    before, out = tree(tmp_path), photos / inside
    for name in ("data_root", "train_dir"):
        where = Circumstances(**{name: str(photos)})
        message = "`out` outside of the images, got .*photos"
        with pytest.raises(ValueError, match=message):
            train_run(out, RunSettings(recipe), where, overwrite=overwrite)
        with pytest.raises(ValueError, match=message):
            train_teacher_first(out, taught, where, overwrite=overwrite)
        study = Study("small", "?", (Arm("a", MethodSettings(), recipe),), seeds=1)
        with pytest.raises(ValueError, match=message):
            run_study(study, out, progress=Recording(), circumstances=where)
    assert tree(tmp_path) == before


def test_snapshots_behind_the_end_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`save_epochs` between 1 and 2, got 3"):
        train_run(tmp_path / "run", PLAIN, Circumstances(save_epochs=(3,)))
    assert not (tmp_path / "run").exists()


def test_more_workers_than_a_machine_can_feed_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"at most [0-9]+ `workers` on this machine .* got 99999"):
        train_run(tmp_path / "run", PLAIN, Circumstances(workers=99999))
    assert not (tmp_path / "run").exists()


def test_data_that_are_not_there_leave_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match="cifar10 was not found"):
        train_run(tmp_path / "run", data(name="cifar10"), Circumstances(data_root=str(tmp_path)))
    assert not (tmp_path / "run").exists()


def test_without_tensorboard_nothing_is_begun_that_asks_for_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.delitem(sys.modules, "tensorboard", raising=False)
    logged = Circumstances(tensorboard=True)
    with pytest.raises(ModuleNotFoundError, match=r"`tensorboard` needs the package .*pip install"):
        train_run(tmp_path / "run", PLAIN, logged)
    study = Study("small", "?", (Arm("a", MethodSettings(), PLAIN.recipe),), seeds=1)
    with pytest.raises(ModuleNotFoundError, match="`tensorboard` needs the package"):
        run_study(study, tmp_path, progress=Recording(), circumstances=logged)
    assert list(tmp_path.iterdir()) == []
    assert train_run(tmp_path / "run", PLAIN).epochs == 2
