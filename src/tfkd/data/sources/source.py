"""A data set as distributed, before anything is split off or chosen; and where it is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tfkd.data.augmentation import Augmentation
from tfkd.data.image_files import LeftOut
from tfkd.data.images import Images
from tfkd.data.places import usual_places


@dataclass(frozen=True)
class Source:
    """A data set as distributed.

    Args:
        classes: names, in the order of the labels.
        train: the official training samples.
        test: the official test samples, or the labelled validation samples of a data set whose
            test labels are not public.
        mean: per channel, of pixels in [0, 1].
        std: per channel.
        image_size: height and width in pixels, of the images or of the crops taken from them.
        augmentation: the usual one of the data set.
        validation: the validation samples, if the data set has a split of its own for that.
        whole: the training and the test samples together, if the test split is not given but was
            taken out of the training samples.
        origins: in words, where each split comes from.
        left_out: files that are no part of it.
        remarks: what else a person should know before training on it.
        fold_remarks: the same where folds are tested, and the test split is not; None: the same.
    """

    classes: tuple[str, ...]
    train: Images
    test: Images
    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_size: int
    augmentation: Augmentation
    validation: Images | None = None
    whole: Images | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    remarks: tuple[str, ...] = ()
    fold_remarks: tuple[str, ...] | None = None


def locate(
    name: str,
    root: str | None,
    find: Callable[[Path], Path | None],
    *,
    obtain: str,
    well_known: tuple[Path, ...] = (),
) -> Path:
    """Return the folder or file in which a data set lies.

    Args:
        name: of the data set.
        root: the only place to look, itself or its sub-folder `name`; None: the usual places.
        find: returns what it recognises at a place, or None.
        obtain: a sentence that says where the data set comes from.
        well_known: further places.

    Raises:
        FileNotFoundError: with every place looked at.
    """
    if root is not None:
        base = Path(root).expanduser()
        places = [base, base / name]
    else:
        places = [*usual_places(name), *well_known]
    for place in places:
        found = find(place)
        if found is not None:
            return found
    looked = ", ".join(str(place) for place in places)
    raise FileNotFoundError(
        f"The data set {name} was not found. Looked in: {looked}. {obtain} "
        "Say where it lies with --data-root or $TFKD_DATA."
    )
