"""A run on photographs, prepared as its network has it, from its settings to what it predicts."""

from __future__ import annotations

import json

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from tfkd.train.predict import predict_files

from tfkd.data import load_data, make_loader
from tfkd.runs import RunDirectory, RunTeacher, make_run
from tfkd.runs.settings import WeightsTeacher
from tfkd.train import evaluate_run, train_run
from tfkd.train.teacher_network import load_teacher

SAID = {
    "student": "timm/test_vit",
    "image_size": 32,
    "epochs": 1,
    "batch_size": 8,
    "augmentation": "resized-crop+flip+rand-augment+random-erasing",
    "sampler": "balanced",
}


def test_settings_say_it_and_timms_own_transform_gives_the_logits(images, tmp_path):
    settings, circumstances = make_run({"data": str(images), **SAID})
    run = tmp_path / "run"
    result = train_run(run, settings, circumstances)
    data = json.loads((run / "settings.json").read_text())["recipe"]["data"]
    own = timm.models.get_pretrained_cfg("test_vit")
    assert (data["image_size"], data["fit"], data["crop_fraction"]) == (
        32,
        "centre-crop",
        own.crop_pct,
    )
    assert (data["interpolation"], tuple(data["mean"])) == (own.interpolation, own.mean)
    assert data["augmentation"] == SAID["augmentation"]
    assert data["sampler"] == "balanced"
    network = RunDirectory(run).load_model()
    config = timm.data.resolve_data_config({"img_size": 32}, pretrained_cfg=own.to_dict())
    transform = timm.data.create_transform(**config)
    files = sorted((images / "test").glob("*/*"))
    with torch.no_grad():
        logits = network(torch.stack([transform(Image.open(file)) for file in files]))
    kept = load_file(run / "test.safetensors")["logits"]
    torch.testing.assert_close(logits, kept, rtol=1e-4, atol=1e-4)
    for prediction, row in zip(predict_files(run, files, top=3), logits.softmax(1), strict=True):
        given = [p for _, p in prediction.classes]
        assert given == pytest.approx(sorted(row.tolist(), reverse=True), abs=1e-4)
    assert evaluate_run(run).accuracy == result.test.accuracy


def test_a_teacher_of_one_size_is_built_for_the_students(images, tmp_path):
    run = tmp_path / "teacher"
    train_run(run, *make_run({"data": str(images), **SAID}))
    taught, circumstances = make_run(
        {
            "data": str(images),
            **SAID,
            "student": "small_cnn",
            "method": "knowledge_distillation",
            "teacher": "timm/test_vit",
            "teacher_weights": str(run / "weights.safetensors"),
        }
    )
    assert isinstance(taught.teacher, WeightsTeacher)
    assert train_run(tmp_path / "student", taught, circumstances).epochs == 1
    # As a run it teaches those alone who see images as it does.
    other, _ = make_run(
        {
            "data": str(images),
            **SAID,
            "student": "small_cnn",
            "method": "knowledge_distillation",
            "teacher": str(run),
        }
    )
    with pytest.raises(ValueError, match="a `teacher` with the student's crop_fraction"):
        train_run(tmp_path / "refused", other, circumstances)
    assert not (tmp_path / "refused").exists()


def test_a_teacher_is_given_the_students_images_as_its_own(images, tmp_path):
    said = {"data": str(images), **SAID, "student": "small_cnn", "augmentation": "none"}
    own = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)}
    run = tmp_path / "teacher"
    settings, circumstances = make_run({**said, **own})
    train_run(run, settings, circumstances)
    theirs, ours = (
        load_data(recipe.data, root=str(images))
        for recipe in (settings.recipe, make_run(said)[0].recipe)
    )
    assert theirs.mean != ours.mean
    network = load_teacher(RunTeacher(run=str(run)), ours)
    seen, given = (
        next(make_loader(data, data.test, batch_size=9, train=False).batches(0)).images
        for data in (theirs, ours)
    )
    with torch.no_grad():
        expected = RunDirectory(run).load_model()(seen)
        torch.testing.assert_close(network(given), expected, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(RunDirectory(run).load_model()(given), expected, atol=1e-3)
    assert load_teacher(RunTeacher(run=str(run)), theirs).state_dict().keys() == (
        RunDirectory(run).load_model().state_dict().keys()
    )
    taught = {**said, "method": "knowledge_distillation", "teacher": str(run)}
    for cache in ("none", "float32"):
        to_train = make_run({**taught, "teacher_cache": cache})
        train_run(tmp_path / cache, *to_train)
    weights = [load_file(tmp_path / cache / "weights.safetensors") for cache in ("none", "float32")]
    assert all(torch.allclose(weights[0][name], weights[1][name]) for name in weights[0])
