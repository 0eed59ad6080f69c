"""Where samples come from, how they are split, and how they reach the device."""

from typing import TYPE_CHECKING

from tfkd._lazy import lazy_names

if TYPE_CHECKING:
    from tfkd.data.augmentation import Augmentation
    from tfkd.data.batches.loader import ImageBatch, Loader
    from tfkd.data.batches.make_loader import make_loader
    from tfkd.data.identity import DataIdentity, identify
    from tfkd.data.image_data import ImageData
    from tfkd.data.image_files import LeftOut
    from tfkd.data.images import Images, MemoryImages
    from tfkd.data.load import load_data, load_source, split_source
    from tfkd.data.places import Places
    from tfkd.data.samplers import OverlappingSampler, PairSampler
    from tfkd.data.settings import DataSettings, name_and_root
    from tfkd.data.sources.source import Source
    from tfkd.data.splits import Split

__all__ = [
    "Augmentation",
    "DataIdentity",
    "DataSettings",
    "ImageBatch",
    "ImageData",
    "Images",
    "LeftOut",
    "Loader",
    "MemoryImages",
    "OverlappingSampler",
    "PairSampler",
    "Places",
    "Source",
    "Split",
    "identify",
    "load_data",
    "load_source",
    "make_loader",
    "name_and_root",
    "split_source",
]

__getattr__ = lazy_names(
    __name__,
    {
        "augmentation": ("Augmentation",),
        "batches.loader": ("ImageBatch", "Loader"),
        "batches.make_loader": ("make_loader",),
        "identity": ("DataIdentity", "identify"),
        "image_data": ("ImageData",),
        "image_files": ("LeftOut",),
        "images": ("Images", "MemoryImages"),
        "load": ("load_data", "load_source", "split_source"),
        "places": ("Places",),
        "samplers": ("OverlappingSampler", "PairSampler"),
        "settings": ("DataSettings", "name_and_root"),
        "sources.source": ("Source",),
        "splits": ("Split",),
    },
)
