"""Any folder of images: what is found in it, and what is made of that."""

from tfkd.data.sources.folder.load import load_folder

__all__ = ["load_folder"]
