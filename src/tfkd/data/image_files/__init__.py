"""Image files: which there are in a folder, whether they are whole, and how one is read."""

from tfkd.data.image_files.checking import MOST_NAMED, check_images
from tfkd.data.image_files.listing import (
    LeftOut,
    Listing,
    Tally,
    holds_images,
    image_paths,
    list_images,
    subfolders,
)
from tfkd.data.image_files.reading import read_rgb, to_rgb
from tfkd.data.image_files.words import read_words

__all__ = [
    "MOST_NAMED",
    "LeftOut",
    "Listing",
    "Tally",
    "check_images",
    "holds_images",
    "image_paths",
    "list_images",
    "read_rgb",
    "read_words",
    "subfolders",
    "to_rgb",
]
