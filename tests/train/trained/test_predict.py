"""Image files are classified as the run's own evaluation sees them."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image
from safetensors.torch import load_file

from tfkd.data import DataSettings, identify, load_data, make_loader
from tfkd.data.preparation import read_pixels
from tfkd.runs import RunDirectory, make_run
from tfkd.train import train_run
from tfkd.train.trained.network import BATCH
from tfkd.train.trained.predict import predict_files


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "digits"
    settings, _ = make_run({"data": "digits", "epochs": 1, "train_size": 200})
    train_run(path, settings)
    return path


def test_no_more_processes_read_than_there_are_batches(digits_run, tmp_path):
    file = tmp_path / "a.png"
    Image.new("L", (8, 8), 90).save(file)
    [alone] = predict_files(digits_run, [file])
    before = set(multiprocessing.active_children())
    answers = predict_files(digits_run, [file], workers=8)
    first = next(answers)
    assert len(set(multiprocessing.active_children()) - before) == 1
    assert [first, *answers] == [alone]


def test_files_get_the_probabilities_of_the_test_split(digits_run, tmp_path):
    test = load_data(DataSettings("digits")).test
    kept = load_file(digits_run / "test.safetensors")
    files = []
    for number in range(5):
        pixels = test.official.pixels[number, 0].numpy()
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(files[-1])
    for number, prediction in enumerate(predict_files(digits_run, files, top=10)):
        logits = kept["logits"][number].double()
        expected = torch.exp(logits) / torch.exp(logits).sum()
        assert prediction.file == files[number]
        assert prediction.error is None
        given = {int(label): p for label, p in prediction.classes}
        assert len(given) == 10
        for k in range(10):
            assert given[k] == pytest.approx(expected[k].item(), abs=1e-5)
        order = [p for _, p in prediction.classes]
        assert order == sorted(order, reverse=True)


def test_an_unreadable_file_does_not_stop_the_others(digits_run, tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.new("L", (8, 8), 200).save(good)
    bad.write_bytes(b"no image")
    first, second, third = predict_files(digits_run, [bad, good, tmp_path / "none.png"], top=1)
    assert first.error is not None and "bad.png" in first.error and first.classes == ()
    assert second.error is None and len(second.classes) == 1
    assert third.error is not None and "none.png" in third.error


def test_more_files_than_a_batch(digits_run, tmp_path):
    files = [tmp_path / f"{n}.png" for n in range(BATCH + 2)]
    for n, file in enumerate(files):
        Image.new("L", (8, 8), 3 * n).save(file)
    together = list(predict_files(digits_run, files))
    alone = [next(iter(predict_files(digits_run, [file]))) for file in files]
    assert [p.file for p in together] == files
    for a, b in zip(together, alone, strict=True):
        assert [n for n, _ in a.classes] == [n for n, _ in b.classes]
        assert [p for _, p in a.classes] == pytest.approx([p for _, p in b.classes], abs=1e-5)


def test_no_class_cannot_be_asked_for(digits_run):
    with pytest.raises(ValueError, match="`top`"):
        predict_files(digits_run, [], top=0)


def test_a_directory_without_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"settings\.json"):
        predict_files(tmp_path, [])
    assert RunDirectory(tmp_path).result() is None


def test_images_of_a_folder_are_cut_as_evaluation_cuts_them(tmp_path):
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(4):
            pixels = generator.integers(0, 256, (50, 70, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    data = load_data(DataSettings("folder", image_size=28), root=str(tmp_path))
    loader = make_loader(data, data.test, batch_size=8, train=False)
    (batch,) = loader.batches(epoch=0)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (data.mean, data.std))
    record = identify(data)
    assert record.fit == "centre-crop"
    for index, image in zip(batch.indices.tolist(), batch.images, strict=True):
        file = tmp_path / data.test.official.paths[index]
        expected = (image * std + mean) * 255
        assert torch.equal(read_pixels(file, record), expected.round().to(torch.uint8))


def test_grey_colour_and_size_are_converted(tmp_path):
    file = tmp_path / "red.png"
    Image.new("RGB", (30, 20), (255, 0, 0)).save(file)
    digits = identify(load_data(DataSettings("digits")))
    grey = read_pixels(file, digits)
    # ITU-R BT.601 luma of pure red.
    assert grey.shape == (1, 8, 8)
    assert torch.all(grey == round(0.299 * 255))
    three = {"channels": 3, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    colour = read_pixels(file, replace(digits, image_size=32, **three))
    assert colour[:, 0, 0].tolist() == [255, 0, 0]
    assert colour.shape == (3, 32, 32)
