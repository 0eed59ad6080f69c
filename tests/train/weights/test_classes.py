"""A head is taken for the data's classes only where it is, or nobody can know."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image
from safetensors.torch import load_file, save_file

from tfkd.data import DataSettings, load_data
from tfkd.models import create_model
from tfkd.runs import SGD, Circumstances, MethodSettings, Recipe, RunSettings, WeightsTeacher
from tfkd.train import export_run, train_run
from tfkd.train.progress import Silent
from tfkd.train.teacher_network import load_teacher, remark_on_classes
from tfkd.train.weights.classes import classes_of
from tfkd.train.weights.fit import load_start

NAME = "timm/test_resnet"
KNOWN = ("disc", "square", "triangle")
OTHERS = ("disc", "ring", "stripes")
DATA = DataSettings("folder", image_size=32, augmentation="none", validation_fraction=0.2)
RECIPE = Recipe(data=DATA, student=NAME, epochs=1, batch_size=12, optimizer=SGD(0.01))
TAUGHT = MethodSettings("knowledge_distillation", numbers={"alpha": 0.5, "temperature": 2.0})


def folder(root, classes):
    rng = np.random.default_rng(0)
    for part, count in (("train", 10), ("test", 2)):
        for name in classes:
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{number}.png")
    return Circumstances(data_root=str(root))


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """By its name, where weights of `KNOWN` lie that say so."""
    root = tmp_path_factory.mktemp("weights")
    where = folder(root / "known", KNOWN)
    train_run(root / "run", RunSettings(RECIPE), replace(where, save_epochs=(1,)))
    export_run(root / "run", format="safetensors", out=root / "export")
    hub = root / "hub"
    hub.mkdir()
    torch.save(load_file(root / "run" / "weights.safetensors"), hub / "pytorch_model.bin")
    (hub / "config.json").write_text(json.dumps({"num_classes": 3, "label_names": KNOWN}))
    listed = root / "listed"
    listed.mkdir()
    shutil.copy(hub / "pytorch_model.bin", listed)
    (listed / "classes.json").write_text(json.dumps(KNOWN))
    shutil.copy(root / "export" / "model.safetensors", root / "renamed.safetensors")
    return {
        "run": root / "run",
        "file of a run": root / "run" / "weights.safetensors",
        "snapshot": root / "run" / "snapshots" / "epoch-1.safetensors",
        "export": root / "export",
        "file of an export": root / "export" / "model.safetensors",
        "its metadata": root / "renamed.safetensors",
        "timm's hub": hub,
        "classes.json": listed,
    }


PLACES = (
    "run",
    "file of a run",
    "snapshot",
    "export",
    "file of an export",
    "its metadata",
    "timm's hub",
    "classes.json",
)


def file_of(place):
    if place.is_file():
        return place
    return next(file for file in place.iterdir() if file.suffix in (".safetensors", ".bin")
                and file.name != "test.safetensors")  # fmt: skip


@pytest.fixture(scope="module")
def silent_file(places, tmp_path_factory):
    """The same weights, of which nobody says the classes."""
    file = tmp_path_factory.mktemp("silent") / "w.safetensors"
    save_file(load_file(places["run"] / "weights.safetensors"), file)
    return file


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("others"), OTHERS)


class Remarks(Silent):
    def __init__(self):
        self.said = []

    def remark(self, text):
        self.said.append(text)


@pytest.mark.parametrize("place", PLACES)
def test_a_teacher_that_is_known_to_know_others_is_refused_by_name(place, places, others):
    teacher = WeightsTeacher(model=NAME, weights=str(places[place]))
    message = (
        r"`teacher_weights` with the student's classes \['disc', 'ring', 'stripes'\], got "
        rf"\['disc', 'square', 'triangle'\] in {file_of(places[place])}\. Fine-tune it first"
    )
    with pytest.raises(ValueError, match=message):
        load_teacher(teacher, load_data(DATA, root=others.data_root))


def test_of_a_teacher_that_is_refused_nothing_is_written(places, silent_file, others, tmp_path):
    settings = RunSettings(RECIPE, TAUGHT, WeightsTeacher(model=NAME, weights=str(places["run"])))
    with pytest.raises(ValueError, match=r"student's classes"):
        train_run(tmp_path / "run", settings, others)
    assert not (tmp_path / "run").exists()
    # Where nobody can know, it is said.
    progress, teacher = Remarks(), WeightsTeacher(model=NAME, weights=str(silent_file))
    settings = RunSettings(RECIPE, TAUGHT, teacher)
    train_run(tmp_path / "run", settings, others, progress=progress)
    assert progress.said == [
        f"{silent_file} does not say its classes, so only their number, 3, was checked: it teaches "
        "as if it knew disc, ring, stripes, in this order."
    ]


def test_a_teacher_of_the_same_classes_teaches_without_a_word(places, tmp_path):
    where = Circumstances(data_root=str(places["run"].parent / "known"))
    progress, teacher = Remarks(), WeightsTeacher(model=NAME, weights=str(places["export"]))
    train_run(tmp_path / "run", RunSettings(RECIPE, TAUGHT, teacher), where, progress=progress)
    assert progress.said == []


def started(file, classes, name=NAME):
    torch.manual_seed(5)
    network = create_model(name, num_classes=len(classes))
    fresh = {key: value.clone() for key, value in network.state_dict().items()}
    return network.state_dict(), fresh, load_start(network, file, name=name, classes=classes)


@pytest.mark.parametrize("place", PLACES)
def test_a_student_gets_a_new_head_for_other_classes(place, places):
    file = file_of(places[place])
    own, fresh, said = started(file, OTHERS)
    assert said == (
        f"{file} has a head for other classes, disc, square, triangle: {NAME} gets a new one, for "
        "disc, ring, stripes, which is trained from the start."
    )
    source = load_file(places["run"] / "weights.safetensors")
    for key in own:
        expected = fresh if key.startswith("fc.") else source
        assert torch.equal(own[key], expected[key]), key


def test_the_head_of_the_same_classes_in_another_order_is_put_into_this(places):
    file, order = file_of(places["run"]), ("triangle", "disc", "square")
    own, _, said = started(file, order)
    assert said == (
        f"{file} has these classes in another order: the rows of its head are put into this one."
    )
    source = load_file(file)
    for key in own:
        if not key.startswith("fc."):
            assert torch.equal(own[key], source[key])
            continue
        for here, name in enumerate(order):
            assert torch.equal(own[key][here], source[key][KNOWN.index(name)])


def test_the_head_of_the_same_classes_is_kept_and_of_unknown_ones_too_but_said(places, silent_file):
    source = load_file(silent_file)
    for file, expected in (
        (file_of(places["export"]), None),
        (silent_file, f"{silent_file} does not say its classes, so only their number, 3, was "
         "checked: its head is kept."),
    ):  # fmt: skip
        own, _, said = started(file, KNOWN)
        assert said == expected
        assert all(torch.equal(own[key], source[key]) for key in own)


def test_a_run_says_what_became_of_the_head(places, others, tmp_path):
    progress = Remarks()
    recipe = replace(RECIPE, weights=str(places["run"]))
    train_run(tmp_path / "run", RunSettings(recipe), others, progress=progress)
    assert [text.partition(": ")[0] for text in progress.said] == [
        f"{file_of(places['run'])} has a head for other classes, disc, square, triangle"
    ]


def test_which_of_several_weights_teach_is_said(places, silent_file, others, tmp_path):
    source, file = load_file(silent_file), tmp_path / "both.pth"
    torch.save({"model": source, "model_ema": {k: t * 1 for k, t in source.items()}}, file)
    said = (
        f"{file} has weights under model_ema and model: those under model_ema are taken, an "
        f"average. {file} does not say its classes"
    )
    data = load_data(DATA, root=others.data_root)
    remark = remark_on_classes(WeightsTeacher(model=NAME, weights=str(file)), data)
    assert remark.startswith(said)
    assert started(file, KNOWN)[2].startswith(said)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[",
        "{}",
        '["disc", 3, "triangle"]',
        '["a", "b"]',
        '["a", "b", "\\u001b[2J"]',
        "[" * 9999,
    ],
)
def test_what_says_no_classes_says_nothing(content, silent_file, tmp_path):
    shutil.copy(silent_file, tmp_path / "model.safetensors")
    (tmp_path / "classes.json").write_text(content)
    assert classes_of(tmp_path / "model.safetensors", number=3) is None
    tensors = load_file(silent_file)
    save_file(tensors, tmp_path / "model.safetensors", metadata={"classes": content})
    assert classes_of(tmp_path / "model.safetensors", number=3) is None
