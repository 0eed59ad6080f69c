"""Fashion-MNIST, whose files torchvision reads."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor
from torchvision.datasets import FashionMNIST
from torchvision.datasets.mnist import read_image_file, read_label_file

from tfkd.data.augmentation import Augmentation
from tfkd.data.images import MemoryImages
from tfkd.data.sources.source import Source, locate

# Where Debian's package dataset-fashion-mnist puts it.
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")
_OBTAIN = (
    "Install Debian's package dataset-fashion-mnist, or put the four files {train,t10k}-"
    "{images-idx3,labels-idx1}-ubyte.gz of https://github.com/zalandoresearch/fashion-mnist there."
)
_MOST_MIB = 256  # five times the official training images


def load_fashion_mnist(root: str | None = None) -> Source:
    """Return Fashion-MNIST: 60 000 + 10 000 grey images of 28 × 28, ten classes.

    Args:
        root: folder of the four files, gzipped or not; None: the usual places.

    Raises:
        FileNotFoundError: if it is nowhere, or a file of it is missing.
        ValueError: for a file that is not what it says it is.

    Source: H. Xiao et al., 2017, arXiv 1708.07747.
    """
    folder = locate("fashion-mnist", root, _find, obtain=_OBTAIN, well_known=(_DEBIAN,))
    return Source(
        classes=tuple(FashionMNIST.classes),
        train=_read_part(folder, "train"),
        test=_read_part(folder, "t10k"),
        mean=(0.2860,),  # of all training pixels
        std=(0.3530,),
        image_size=28,
        augmentation=Augmentation(crop_padding=2, flip=True),
    )


def _find(place: Path) -> Path | None:
    return place if _file(place, "train-images-idx3-ubyte").exists() else None


def _file(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.exists() else folder / f"{name}.gz"


def _read_part(folder: Path, part: str) -> MemoryImages:
    pixel_file = _file(folder, f"{part}-images-idx3-ubyte")
    label_file = _file(folder, f"{part}-labels-idx1-ubyte")
    pixels = _read(pixel_file, read_image_file)
    labels = _read(label_file, read_label_file)
    if pixels.shape[1:] != (28, 28):
        raise ValueError(
            f"Expected images of 28 × 28 in {pixel_file}, got {tuple(pixels.shape[1:])}."
        )
    if len(labels) != len(pixels):
        raise ValueError(f"Expected {len(pixels)} labels in {label_file}, got {len(labels)}.")
    if len(labels) == 0 or labels.max() >= len(FashionMNIST.classes):
        raise ValueError(
            f"Expected labels from 0 to {len(FashionMNIST.classes) - 1} in {label_file}."
        )
    return MemoryImages(pixels[:, None], labels)


def _read(path: Path, reader: Callable[[str], Tensor]) -> Tensor:
    if not path.is_file():
        raise FileNotFoundError(f"Expected the file {path}.")
    try:
        if path.suffix != ".gz":
            return reader(str(path))
        # The reader takes unpacked files alone, and Debian's folder is not to be written to.
        with gzip.open(path) as packed, TemporaryDirectory() as folder:
            plain = Path(folder) / path.stem
            with plain.open("wb") as file:
                for _ in range(_MOST_MIB):  # a few bytes of gzip can stand for any number
                    file.write(packed.read(1 << 20))
            return reader(str(plain))
    except Exception as error:  # torchvision checks little: damage can raise nearly anything
        raise ValueError(f"Expected a file in MNIST's format at {path}: {error!r}.") from error
