"""Print the image files of folders that cannot be read, one a line: to be moved, or deleted."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tfkd.data.image_files.checking import unreadable
from tfkd.data.image_files.listing import list_images


def main(folders: list[str]) -> None:
    """Print the paths alone, for other programs to read."""
    for folder in folders:
        for path, _ in unreadable(Path(folder), list_images(Path(folder)).paths):
            sys.stdout.buffer.write(os.fsencode(Path(folder) / path) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
