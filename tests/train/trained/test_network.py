"""A trained network is what plain timm and torch make of its weights."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import msgspec
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

import tfkd.train
from tfkd.data import DataSettings, load_data


def plain(run, classes=7):
    """The network as timm makes it, with the weights of the run."""
    network = timm.create_model("test_efficientnet", num_classes=classes)
    network.load_state_dict(load_file(run / "weights.safetensors"))
    return network.eval()


def prepared(file, data):
    """An image as Pillow alone prepares it: shorter side, centre, mean and deviation."""
    size = data["image_size"]
    image = Image.open(file).convert("RGB")
    fraction = data.get("crop_fraction")
    larger = math.floor(size / fraction) if fraction else round(size * 256 / 224)
    scale = larger / min(image.size)
    sides = [larger if side == min(image.size) else int(scale * side) for side in image.size]
    filter = Image.Resampling[data.get("interpolation", "bilinear").upper()]
    image = image.resize(sides, filter)
    left, top = (round((side - size) / 2) for side in image.size)
    pixels = np.asarray(image.crop((left, top, left + size, top + size)), dtype=np.float64)
    values = (pixels / 255 - data["mean"]) / data["std"]
    return torch.from_numpy(values.transpose(2, 0, 1).astype(np.float32))


def test_predictions_are_those_of_plain_timm(photographs):
    trained = tfkd.train.load(photographs.run)
    assert trained.classes == ("ant", "bee", "cat", "dog", "eel", "fox", "gnu")
    assert not any(module.training for module in trained.network.modules())
    data = json.loads((photographs.run / "data.json").read_text())
    files = sorted((photographs.folder / "test").rglob("*.png"))[:9]
    batch = torch.stack([prepared(file, data) for file in files])
    for file, image in zip(files, batch, strict=True):
        torch.testing.assert_close(trained.preprocess(file), image, rtol=0, atol=1e-6)
    with torch.no_grad():
        logits = plain(photographs.run)(batch).double()
    for prediction, file, row in zip(trained.predict(files, top=7), files, logits, strict=True):
        weights = [math.exp(value) for value in row.tolist()]
        expected = sorted(
            ((w / sum(weights), name) for w, name in zip(weights, trained.classes, strict=True)),
            reverse=True,
        )
        assert prediction.file == file
        assert [name for name, _ in prediction.classes] == [name for _, name in expected]
        assert [p for _, p in prediction.classes] == pytest.approx([p for p, _ in expected])


def test_an_image_is_prepared_alike_however_it_comes(photographs):
    trained = tfkd.train.load(str(photographs.run))
    file = next((photographs.folder / "test" / "cat").iterdir())
    image = Image.open(file)
    wanted = trained.preprocess(file)
    assert wanted.shape == (3, 32, 32) and wanted.dtype == torch.float32
    for same in (str(file), image, np.asarray(image), image.copy()):
        assert torch.equal(trained.preprocess(same), wanted)
    # What is transparent lies over white; grey becomes grey in three channels.
    clear = np.zeros((40, 40, 4), dtype=np.uint8)
    white = np.full((40, 40), 255, dtype=np.uint8)
    assert torch.equal(trained.preprocess(clear), trained.preprocess(white))


def test_a_photograph_is_seen_upright_however_it_comes(photographs, tmp_path):
    trained = tfkd.train.load(photographs.run)
    upright = Image.fromarray(np.kron(np.eye(6, 9), np.full((9, 9), 255)).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees, clockwise
    upright.rotate(90, expand=True).save(tmp_path / "turned.png", exif=exif)
    wanted = trained.preprocess(np.asarray(upright))
    assert torch.equal(trained.preprocess(tmp_path / "turned.png"), wanted)
    with Image.open(tmp_path / "turned.png") as image:
        assert torch.equal(trained.preprocess(image), wanted)
        assert not torch.equal(trained.preprocess(np.asarray(image)), wanted)


def test_one_or_many_in_batches_of_any_size(photographs):
    trained = tfkd.train.load(photographs.run)
    files = sorted((photographs.folder / "test" / "gnu").iterdir())[:5]
    together = trained.predict(files)
    assert [prediction.file for prediction in together] == files
    mixed = [files[0], Image.open(files[1]), trained.preprocess(files[2]), str(files[3])]
    batch = torch.stack([trained.preprocess(file) for file in files])
    alone = [trained.predict(file)[0] for file in files]
    answers = [
        (together, files),
        (trained.predict(files, batch_size=2), files),
        (trained.predict(iter(mixed)), mixed),
        (trained.predict(batch), files),
        (trained.predict(batch[0]), files[:1]),
    ]
    for predictions, given in answers:
        assert len(predictions) == len(given)
        for one, other in zip(predictions, alone, strict=False):
            assert [name for name, _ in one.classes] == [name for name, _ in other.classes]
            wanted = pytest.approx([p for _, p in other.classes], abs=1e-5)
            assert [p for _, p in one.classes] == wanted
    assert trained.predict([]) == []
    assert trained.to("cpu").device == torch.device("cpu")


def test_snapshots_and_grey_images(finished_run):
    final, first = tfkd.train.load(finished_run.path), tfkd.train.load(finished_run.path, epoch=1)
    test = load_data(DataSettings("digits")).test
    pixels = test.official.pixels[:4, 0].numpy()
    images = torch.stack([final.preprocess(image) for image in pixels])
    kept = load_file(finished_run.path / "test.safetensors")["logits"][:4]
    torch.testing.assert_close(final.network(images), kept, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(first.network(images), kept, atol=1e-3)
    for wrong in ("1", 1.0, True):
        with pytest.raises(TypeError, match="Expected `epoch` to be an int, got"):
            tfkd.train.load(finished_run.path, epoch=wrong)
    with pytest.raises(ValueError, match="Expected `epoch` of at least 1, got 0"):
        tfkd.train.load(finished_run.path, epoch=0)


def test_what_is_no_image_is_said(photographs, tmp_path):
    trained = tfkd.train.load(photographs.run)
    for wrong, said in (
        (np.zeros((8, 8)), "uint8, got float64"),
        (7, "got int"),
    ):
        with pytest.raises(TypeError, match=said):
            trained.preprocess(wrong)
    with pytest.raises(ValueError, match=r"got \(8, 8, 2\)"):
        trained.preprocess(np.zeros((8, 8, 2), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"none\.png"):
        trained.predict([tmp_path / "none.png"])
    with pytest.raises(ValueError, match=r"got the folder .* tfkd\.train\.predict_files\(RUN"):
        trained.predict(str(tmp_path))
    with pytest.raises(ValueError, match=r"\(N, 3, 32, 32\).*\(1, 3, 64, 64\)"):
        trained.predict(torch.zeros(3, 64, 64))
    with pytest.raises(TypeError, match=r"got torch\.uint8"):
        trained.predict(torch.zeros(3, 32, 32, dtype=torch.uint8))
    with pytest.raises(ValueError, match="`top` of at least 1"):
        trained.predict([], top=0)
    with pytest.raises(FileNotFoundError, match=r"settings\.json"):
        tfkd.train.load(tmp_path)


def test_no_number_is_no_answer(photographs):
    trained = tfkd.train.load(photographs.run)
    huge, good = torch.full((3, 32, 32), 3e38), torch.zeros(3, 32, 32)
    first, second = trained.predict([huge, good])
    assert first.classes == () and "NaN or infinity" in first.error
    assert second.error is None and len(second.classes) == 3


def test_it_is_told_in_a_line(photographs):
    told = repr(tfkd.train.load(photographs.run))
    assert told == ("<TrainedNetwork timm/test_efficientnet: data, 7 classes, 3 × 32 × 32, on cpu>")


def test_of_larger_images_fewer_are_looked_at_together(
    photographs, write_images, tmp_path, drawn_seed, monkeypatch
):
    small, batches = tfkd.train.load(photographs.run), []
    tiny = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 7)).eval()
    tiny.register_forward_hook(lambda _, images, __: batches.append(len(images[0])))
    seen = msgspec.structs.replace(small.identity, image_size=896)
    trained = replace(small, network=tiny, identity=seen)
    folder = write_images(tmp_path / "photos", random.Random(drawn_seed), {"cat": 3, "dog": 2})
    files = sorted(folder.rglob("*.png"))
    for module in ("predict", "evaluate"):
        monkeypatch.setattr(f"tfkd.train.trained.{module}.load", lambda *_: trained)
    trained.predict(files)  # 896 is four times 224: a sixteenth of 64 together
    assert len(list(tfkd.train.predict_files(photographs.run, files))) == 5
    assert tfkd.train.evaluate_run(photographs.run, on=folder).samples == 5
    assert batches == [4, 1] * 3
    trained.predict(files, batch_size=5)
    replace(trained, identity=small.identity).predict(files * 13)
    assert batches[6:] == [5, 64, 1]
