"""Any folder of images, as a data set."""

from __future__ import annotations

from tfkd.data.image_files import check_images
from tfkd.data.label_form import LabelForm
from tfkd.data.places import Places
from tfkd.data.sources.folder.by_class import find_by_class
from tfkd.data.sources.folder.carving import carve_test
from tfkd.data.sources.folder.duplicates import (
    find_duplicates,
    remarks_on_duplicates,
    where_folds_are_tested,
)
from tfkd.data.sources.folder.labels_file import find_by_table
from tfkd.data.sources.imagenet import IMAGENET_AUGMENTATION, IMAGENET_MEAN, IMAGENET_STD
from tfkd.data.sources.source import Source


def load_folder(places: Places, form: LabelForm | None = None) -> Source:
    """Return the images of a folder: by class, in splits by class, or as a table names them.

    The splits are those that the folder has. Where there is none for testing, a fifth of each
    class, at least one image, is: those whose relative paths have the smallest SHA-256 digests,
    whatever the seed. The classes are the names of the training folders, sorted; they may be in any
    script. Every file is opened once, without decoding it: what is no image is found now, what is
    damaged further inside when it is decoded.

    Args:
        places: where they lie.
        form: how a table says several labels of an image; None: an image has one.

    Raises:
        FileNotFoundError: if there is no such folder, table or image.
        ValueError: for what cannot be classes, or may be several things; fewer than two classes, a
            class without enough images, one that is tested or validated but not trained, a name of
            a class that is not UTF-8 or has control characters, or files that are no images.
    """
    if places.labels is not None:
        found = find_by_table(places, form)
    elif form is None:
        found = find_by_class(places)
    else:
        option = "label_columns" if form.columns else "label_separator"
        raise ValueError(f"Expected `labels`, the table, beside `{option}`, got none.")
    samples, whole = dict(found.samples), None
    if "train" not in samples:
        raise ValueError(f"Expected rows of the training split in {places.labels}, got none.")
    if "test" not in samples:
        whole = samples["train"].images()
        samples["train"], samples["test"] = carve_test(found)
    for root in {part.root for part in samples.values()}:
        check_images(
            root, [path for part in samples.values() if part.root == root for path in part.paths]
        )
    validation = samples.get("validation")
    same = find_duplicates(samples)
    same_in_folds = where_folds_are_tested(same, given=whole is None)
    return Source(
        classes=found.classes,
        train=samples["train"].images(),
        test=samples["test"].images(),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        image_size=224,
        augmentation=IMAGENET_AUGMENTATION,
        validation=None if validation is None else validation.images(),
        whole=whole,
        origins={split: part.origin for split, part in samples.items()},
        left_out=found.tally.result(),
        remarks=(
            *found.remarks,
            *found.test_remarks,
            *remarks_on_duplicates(same, samples),
        ),
        fold_remarks=(*found.remarks, *remarks_on_duplicates(same_in_folds, samples)),
    )
