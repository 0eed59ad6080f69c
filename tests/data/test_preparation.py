"""An image file becomes what timm's own evaluation shows the network, pixel by pixel."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import timm
import torch
from PIL import Image

from tfkd.data import DataSettings, ImageData, identify, load_data, make_loader
from tfkd.data.preparation import read_pixels
from tfkd.models.preparation import preparation_of

SIZES = ((131, 90), (60, 161), (97, 97), (40, 30))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory, drawn_seed: str) -> Path:
    """Two classes of smooth and noisy photographs, wide, high, square and small."""
    drawn = random.Random(drawn_seed)
    folder = tmp_path_factory.mktemp("photographs")
    for label in "ab":
        (folder / label).mkdir()
        for number, (width, height) in enumerate(SIZES):
            low = Image.frombytes("RGB", (5, 4), drawn.randbytes(60)).resize((width, height))
            noise = np.frombuffer(drawn.randbytes(width * height * 3), np.uint8)
            pixels = np.asarray(low) // 2 + noise.reshape(height, width, 3) // 2
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{number}.png")
    return folder


def _prepared(folder: Path, model: str, image_size: int | None = None) -> ImageData:
    own = preparation_of(model)
    assert own is not None
    said = own._asdict() | ({} if image_size is None else {"image_size": image_size})
    return load_data(DataSettings("folder", validation_fraction=0.0, **said), root=str(folder))


def _timms(model: str, image_size: int | None) -> Any:
    config = timm.data.resolve_data_config(
        {} if image_size is None else {"img_size": image_size},
        pretrained_cfg=timm.models.get_pretrained_cfg(model).to_dict(),
    )
    return timm.data.create_transform(**config)


@pytest.mark.parametrize(
    ("model", "image_size"),
    [
        ("resnet18.a1_in1k", None),  # bicubic, 0.95
        ("resnet18.tv_in1k", 75),  # bilinear, 0.875: 85.7 is rounded down
        ("inception_v3.tv_in1k", 299),
        ("vit_tiny_patch16_384.augreg_in21k_ft_in1k", 48),  # everything that is resized, and 0.5
        ("vit_base_patch16_clip_384.openai_ft_in12k_in1k", 96),  # squashed, 0.95
        ("convnext_tiny.in12k_ft_in1k_384", 64),  # squashed
        ("volo_d4_448.sail_in1k", 92),  # 1.15: with a black border
        ("test_resnet", None),
    ],
)
def test_pixels_are_those_of_timms_own_transform(
    photographs: Path, model: str, image_size: int | None
) -> None:
    data, transform = _prepared(photographs, model, image_size), _timms(model, image_size)
    (batch,) = make_loader(data, data.train, batch_size=20, train=False).batches(0)
    files = data.train.official
    identity = identify(data)
    mean, std = (torch.tensor(getattr(data, name)).view(3, 1, 1) for name in ("mean", "std"))
    for index, image in zip(batch.indices.tolist(), batch.images, strict=True):
        path = files.root / files.paths[index]  # type: ignore[attr-defined]
        expected = transform(Image.open(path))
        torch.testing.assert_close(image, expected, rtol=0, atol=1e-5)
        pixels = read_pixels(path, identity)
        assert pixels.equal(((expected * std + mean) * 255).round().to(torch.uint8))


def test_what_is_said_of_a_network_is_what_timm_resolves() -> None:
    for name in ("timm/resnet18", "resnext50_32x4d.tv_in1k", "vit_tiny_patch16_384", "test_vit"):
        own = preparation_of(name)
        expected = timm.data.resolve_data_config(
            pretrained_cfg=timm.models.get_pretrained_cfg(name.removeprefix("timm/")).to_dict()
        )
        assert own is not None
        assert (3, own.image_size, own.image_size) == expected["input_size"]
        assert own[2:] == tuple(
            expected[key] for key in ("crop_pct", "interpolation", "mean", "std")
        )


@pytest.mark.parametrize("size", [8, 14, 32, 33, 64, 112, 160, 224])
def test_where_nobody_says_another_the_shorter_side_is_rounded(
    photographs: Path, size: int
) -> None:
    from torchvision.transforms import v2

    data = load_data(DataSettings("folder", image_size=size), root=str(photographs))
    transform = v2.Compose(
        [v2.Resize(round(size * 256 / 224)), v2.CenterCrop(size), v2.PILToTensor()]
    )
    for path in sorted(photographs.glob("a/*")):
        assert read_pixels(path, identify(data)).equal(transform(Image.open(path)))
    assert (identify(data).crop_fraction == 0.875) is (size not in (32, 33, 160))


@pytest.mark.parametrize("size", [32, 224])
@pytest.mark.parametrize("shape", [(1000, 101), (101, 1003), (2999, 60), (3800, 20)])
def test_a_very_long_image_is_shown_as_if_all_of_it_were_resized(
    photographs: Path, tmp_path: Path, shape: tuple[int, int], size: int, chance: random.Random
) -> None:
    from torchvision.transforms import v2

    pixels = np.frombuffer(chance.randbytes(shape[0] * shape[1] * 3), np.uint8)
    image = Image.fromarray(pixels.reshape(shape[1], shape[0], 3))
    image.save(tmp_path / "long.png")
    data = load_data(DataSettings("folder", image_size=size), root=str(photographs))
    transform = v2.Compose(
        [v2.Resize(round(size * 256 / 224)), v2.CenterCrop(size), v2.PILToTensor()]
    )
    seen = read_pixels(tmp_path / "long.png", identify(data)).int()
    assert int((seen - transform(image).int()).abs().max()) <= 1  # of rounding


def test_identities_of_before_mean_what_was_done_before() -> None:
    digits = identify(load_data(DataSettings("digits")))
    written = msgspec.to_builtins(digits)
    del written["crop_fraction"], written["interpolation"]
    assert msgspec.convert(written, type(digits)) == digits


def test_another_preparation_is_named(photographs: Path) -> None:
    from tfkd.data.identity import how_a_network_sees_them_differs

    one = identify(_prepared(photographs, "resnet18.tv_in1k", 32))
    other = identify(_prepared(photographs, "resnet18.a1_in1k", 32))
    assert how_a_network_sees_them_differs(one, other) == "crop_fraction 0.875, got 0.95"
    squashed = msgspec.structs.replace(one, fit="squash")
    assert how_a_network_sees_them_differs(one, squashed) == "fit centre-crop, got squash"
    smooth = msgspec.structs.replace(one, interpolation="bicubic")
    assert how_a_network_sees_them_differs(one, smooth) == "interpolation bilinear, got bicubic"


def test_mean_and_std_may_be_one_number_for_all_channels(photographs: Path) -> None:
    settings = DataSettings("folder", image_size=8, mean=(0.5,), std=(0.25,))
    data = load_data(settings, root=str(photographs))
    assert (data.mean, data.std) == ((0.5,) * 3, (0.25,) * 3)
    assert load_data(DataSettings("digits", mean=(0.1,))).mean == (0.1,)
    with pytest.raises(ValueError, match="`std` to be a number for each channel, of which there"):
        load_data(DataSettings("digits", std=(0.1, 0.2, 0.3)))


@pytest.mark.parametrize(("field", "value"), [("crop_fraction", 0.9), ("fit", "squash")])
def test_images_of_one_size_are_not_cut(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"no `{field}` for digits"):
        load_data(DataSettings("digits", **{field: value}))  # type: ignore[arg-type]


def test_images_in_memory_are_resized_as_asked() -> None:
    from torchvision.transforms.v2.functional import InterpolationMode, resize

    data = load_data(DataSettings("digits", image_size=12, interpolation="bicubic"))
    own = load_data(DataSettings("digits")).test.official.pixels[:5]  # type: ignore[attr-defined]
    expected = resize(own, [12, 12], interpolation=InterpolationMode.BICUBIC, antialias=True)
    assert data.test.official.pixels[:5].equal(expected)  # type: ignore[attr-defined]
