"""Where samples come from: data sets as distributed, their splits, and loaders of batches."""

from tfkd.data.augmentation import Augmentation
from tfkd.data.batches.loader import Batch, Loader
from tfkd.data.batches.make_loader import make_loader
from tfkd.data.image_data import ImageData
from tfkd.data.load import load_data, source_names
from tfkd.data.settings import DataSettings
from tfkd.data.splits import Split

__all__ = [
    "Augmentation",
    "Batch",
    "DataSettings",
    "ImageData",
    "Loader",
    "Split",
    "load_data",
    "make_loader",
    "source_names",
]
