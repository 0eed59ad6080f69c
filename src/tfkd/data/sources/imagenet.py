"""ImageNet (ILSVRC 2012), left on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tfkd.data.augmentation import Augmentation
from tfkd.data.image_files import image_paths, read_words, subfolders
from tfkd.data.images import ImageFiles
from tfkd.data.sources.source import Source, locate

# Of the ImageNet training pixels; usual since the PyTorch ImageNet example, as is the augmentation.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
IMAGENET_AUGMENTATION = Augmentation(flip=True, resized_crop=True)

_DEVKIT = Path("ILSVRC2012_devkit_t12") / "data"


def load_imagenet(root: str | None = None) -> Source:
    """Return ImageNet: 1 281 167 + 50 000 image files, a thousand classes.

    Its labelled validation images are the test split. They lie by class, as the training images
    do, or flat as distributed, with the development kit beside them: its ground truth counts
    images from 1, and its meta.mat says which class a number is. Labels count the WordNet ids in
    sorted order.

    Args:
        root: the folder of train/, val/ and, for flat validation images,
            ILSVRC2012_devkit_t12/; None: the usual places.

    Raises:
        FileNotFoundError: if it is nowhere, or the development kit or an image is missing.
        ValueError: for a class without images or an unknown class.

    Source: O. Russakovsky et al., 2015, arXiv 1409.0575.
    """
    obtain = "Register at https://image-net.org for ILSVRC 2012 and unpack train/ and val/ there."
    folder = locate("imagenet", root, _find, obtain=obtain)
    classes = subfolders(folder / "train")
    number = {wnid: label for label, wnid in enumerate(classes)}
    if subfolders(folder / "val"):
        test = files_by_class(folder, "val", classes)
    else:
        test = _flat(folder, number)
    return Source(
        classes=tuple(classes),
        train=files_by_class(folder, "train", classes),
        test=test,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        image_size=224,
        augmentation=IMAGENET_AUGMENTATION,
    )


def files_by_class(root: Path, part: str, classes: list[str]) -> ImageFiles:
    """Return the image files of `root/part/<class>`, labelled by the place in `classes`.

    Raises:
        ValueError: for a folder that is no class, or a class without images.
    """
    strange = sorted(set(subfolders(root / part)) - set(classes))
    if strange:
        raise ValueError(
            f"Expected only the training classes in {root / part}, got {strange[0]!r}."
        )
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = image_paths(root, f"{part}/{name}")
        if not found:
            raise ValueError(f"Expected images of the class {name!r} in {root / part}, got none.")
        paths += found
        labels += [label] * len(found)
    return ImageFiles(root, paths, torch.tensor(labels, dtype=torch.int64))


def _find(place: Path) -> Path | None:
    there = (place / "train").is_dir() and (place / "val").is_dir()
    return place if there and subfolders(place / "train") else None


def _flat(folder: Path, number: dict[str, int]) -> ImageFiles:
    truth = folder / _DEVKIT / "ILSVRC2012_validation_ground_truth.txt"
    meta = folder / _DEVKIT / "meta.mat"
    for needed in (truth, meta):
        if not needed.is_file():
            raise FileNotFoundError(
                f"Expected the validation images in {folder / 'val'} by class, or the file "
                f"{needed} of the development kit ILSVRC2012_devkit_t12.tar.gz."
            )
    wnids = _wnids(meta)
    present = set(image_paths(folder, "val"))
    paths: list[str] = []
    labels: list[int] = []
    for count, line in enumerate(read_words(truth).split(), start=1):
        path = f"val/ILSVRC2012_val_{count:08d}.JPEG"
        wnid = wnids.get(line, "")
        if wnid not in number:
            raise ValueError(f"Expected a training class in line {count} of {truth}, got {line}.")
        if path not in present:
            raise FileNotFoundError(f"Expected the validation image {folder / path}.")
        paths.append(path)
        labels.append(number[wnid])
    return ImageFiles(folder, paths, torch.tensor(labels, dtype=torch.int64))


def _wnids(meta: Path) -> dict[str, str]:
    """Return the WordNet id of each number, the latter as text.

    No other library has them: timm's tables and torchvision's are in sorted order. SciPy's reader
    is not hardened: 14 of 400 damaged files that were not compressed ended the process (1.17).
    """
    import scipy.io

    untyped: Any = scipy.io
    try:
        # Numbers above the thousand leaves are inner nodes of WordNet; the ground truth has none.
        synsets = untyped.loadmat(meta, variable_names=["synsets"], squeeze_me=True)["synsets"]
        numbers, wnids = synsets["ILSVRC2012_ID"], synsets["WNID"]
        return {f"{number:.0f}": str(wnid) for number, wnid in zip(numbers, wnids, strict=True)}
    except Exception as error:  # a damaged file can raise nearly anything
        raise ValueError(f"Expected the synsets of ImageNet in {meta}: {error}.") from error
