"""Small pictures: what a viewer shows, of images in files and in memory, within a budget."""

import base64
from io import BytesIO

import numpy as np
import torch
from PIL import Image

from tfkd.data.image_files import read_rgb
from tfkd.data.images import ImageFiles, MemoryImages
from tfkd.report.pictures.answers import Answers
from tfkd.report.pictures.thumbnails import SIDE, Thumbnails

CLASSES = ("a", "b")


def answers(images):
    count = len(images)
    return Answers(
        "test", torch.eye(2)[torch.zeros(count).long()], images.labels, images, torch.arange(count)
    )


def decoded(address):
    kind, _, content = address.partition(",")
    assert kind in ("data:image/png;base64", "data:image/jpeg;base64")
    return Image.open(BytesIO(base64.b64decode(content)))


def test_files_are_shown_as_they_are_read(tmp_path):
    ramp = np.linspace(0, 255, 300 * 200).reshape(200, 300).astype(np.uint8)
    Image.fromarray(np.stack([ramp, ramp, 255 - ramp], axis=2)).save(tmp_path / "wide.png")
    Image.fromarray(ramp.T).save(tmp_path / "tall.jpg", exif=turned())
    images = ImageFiles(tmp_path, ["wide.png", "tall.jpg"], torch.tensor([0, 1]))
    for row, name in enumerate(images.paths):
        picture = Thumbnails().picture(answers(images), row, CLASSES)
        wanted = read_rgb(tmp_path / name)
        wanted = wanted.resize((picture.width, picture.height), Image.Resampling.BOX)
        shown = decoded(picture.address)
        assert shown.size == (picture.width, picture.height)
        assert picture.width == SIDE > picture.height  # the second is turned
        difference = np.asarray(shown, dtype=float) - np.asarray(wanted, dtype=float)
        assert np.abs(difference).mean() < 4.0
        assert picture.path == name


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_small_images_in_memory_keep_every_pixel(chance):
    pixels = torch.tensor([chance.randrange(256) for _ in range(2 * 3 * 8 * 8)], dtype=torch.uint8)
    for channels in (1, 3):
        images = MemoryImages(pixels.view(2, 3, 8, 8)[:, :channels], torch.tensor([0, 1]))
        picture = Thumbnails().picture(answers(images), 1, CLASSES)
        shown = np.asarray(decoded(picture.address).convert("RGB" if channels == 3 else "L"))
        assert np.array_equal(shown.reshape(8, 8, channels), images.pixels[1].permute(1, 2, 0))
        assert (picture.width, picture.height) == (SIDE, SIDE)
        assert picture.path == "test image 1"


def test_what_is_beyond_the_budget_is_counted(tmp_path):
    Image.new("RGB", (60, 60)).save(tmp_path / "x.png")
    images = ImageFiles(tmp_path, ["x.png", "gone.png", "x.png"], torch.tensor([0, 0, 1]))
    one = len(Thumbnails().picture(answers(images), 0, CLASSES).address)
    thumbnails = Thumbnails(budget=2 * one)
    found = [thumbnails.picture(answers(images), row, CLASSES) for row in (0, 1, 2, 0, 2)]
    assert [bool(picture.address) for picture in found] == [True, False, True, False, False]
    assert (thumbnails.unread, thumbnails.over_budget) == (1, 2)
