"""Whether image files can be read, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tfkd.data.image_files.reading import opened, prepare_decoders
from tfkd.data.reading import counted

MOST_NAMED = 10
"""How many bad files an error names."""


def check_images(root: Path, paths: Sequence[str]) -> None:
    """Open every file once, without decoding it.

    Args:
        root: the folder that the paths start from.
        paths: of image files.

    Raises:
        ValueError: naming the files, at most ten of them, that are no images or too large.
    """
    found = [reason for _, reason in unreadable(root, paths)]
    if len(found) == 1:
        raise ValueError(found[0])
    if found:
        shown = " ".join(found[:MOST_NAMED])
        more = ""
        if len(found) > MOST_NAMED:
            more = (
                f" … and {len(found) - MOST_NAMED} more. All of them, one a line: "
                f"python -m tfkd.data.image_files {root}"
            )
        raise ValueError(f"{len(found)} of {len(paths)} images cannot be read. {shown}{more}")


def unreadable(root: Path, paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the path of each file that cannot be read, and why."""
    prepare_decoders()  # once, not in every thread

    def reason(path: str) -> str | None:
        try:
            with opened(root / path):
                return None
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(16) as pool:  # what takes time is waiting for the disk
        reasons = counted("opening", pool.map(reason, paths), len(paths))
        for path, found in zip(paths, reasons, strict=True):
            if found is not None:
                yield path, found
