"""Tiny-ImageNet, read from its unpacked archive."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import torch

from tfkd.data.augmentation import Augmentation
from tfkd.data.image_files import image_paths, read_words
from tfkd.data.images import ImageFiles, MemoryImages
from tfkd.data.sources.in_memory import in_memory
from tfkd.data.sources.source import Source, locate

_SIZE = 64


def load_tiny_imagenet(root: str | None = None) -> Source:
    """Return Tiny-ImageNet: 100 000 + 10 000 images of 64 × 64, 200 classes, all in memory.

    The labels of its official test images are not public: its labelled validation images are the
    test split. Labels count the WordNet ids in sorted order; the names are the first of each
    class in words.txt.

    Args:
        root: the folder tiny-imagenet-200 or the one that holds it; None: the usual places.

    Raises:
        FileNotFoundError: if it is nowhere, or a class or an image is missing.
        ValueError: for a file that is damaged, or an annotation of an unknown class.

    Source: Y. Le and X. Yang, Tiny ImageNet Visual Recognition Challenge, CS231N, 2015.
    """
    obtain = "Unpack http://cs231n.stanford.edu/tiny-imagenet-200.zip there."
    folder = locate("tiny-imagenet", root, _find, obtain=obtain)
    ids = sorted(read_words(folder / "wnids.txt").split())
    if not all(wnid.isalnum() for wnid in ids) or len(set(ids)) != len(ids):
        raise ValueError(f"Expected WordNet ids, each once, in {folder / 'wnids.txt'}.")
    number = {wnid: label for label, wnid in enumerate(ids)}
    train: list[tuple[str, int]] = []
    for wnid, label in number.items():
        paths = image_paths(folder, f"train/{wnid}")
        if not paths:
            raise FileNotFoundError(f"Expected images of the class {wnid} in {folder / 'train'}.")
        train += [(path, label) for path in paths]
    annotations = folder / "val" / "val_annotations.txt"
    test: list[tuple[str, int]] = []
    for line in read_words(annotations).splitlines():
        columns = line.split("\t")  # file, WordNet id, bounding box
        if len(columns) < 2 or columns[1] not in number or Path(columns[0]).name != columns[0]:
            raise ValueError(
                f"Expected a file and a class of wnids.txt in {annotations}: {line!r}."
            )
        test.append((f"val/images/{columns[0]}", number[columns[1]]))
    return Source(
        classes=_names(folder, ids),
        train=_decode(folder, train),
        test=_decode(folder, sorted(test)),
        # Normalisation and augmentation of the released code of the paper (arXiv 1909.11723).
        mean=(0.4802, 0.4481, 0.3975),
        std=(0.2302, 0.2265, 0.2262),
        image_size=_SIZE,
        augmentation=Augmentation(flip=True, rotation=20.0),
    )


def _find(place: Path) -> Path | None:
    for folder in (place, place / "tiny-imagenet-200"):
        if (folder / "wnids.txt").is_file() and (folder / "val" / "val_annotations.txt").is_file():
            return folder
    return None


def _names(folder: Path, ids: list[str]) -> tuple[str, ...]:
    words: dict[str, str] = {}
    path = folder / "words.txt"
    if path.is_file():
        for line in read_words(path).splitlines():
            wnid, _, synonyms = line.partition("\t")
            words[wnid] = synonyms.split(",")[0].strip()
    names = [words.get(wnid) or wnid for wnid in ids]
    times = Counter(names)
    return tuple(
        name if times[name] == 1 else f"{name} ({wnid})"
        for name, wnid in zip(names, ids, strict=True)
    )


def _decode(folder: Path, samples: list[tuple[str, int]]) -> MemoryImages:
    labels = torch.tensor([label for _, label in samples], dtype=torch.int64)
    return in_memory(ImageFiles(folder, [path for path, _ in samples], labels), _SIZE)
