"""What to say when a package of the extra `tfkd[cli]` is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from tfkd._extras import pip_line


@contextmanager
def needs_extra(what: str) -> Iterator[None]:
    """Name the pip line that mends an import failing inside the block.

    Args:
        what: what needs the import, to begin the sentence with.

    Raises:
        ModuleNotFoundError: in place of the one raised inside.
    """
    try:
        # torchvision makes tensors when it is imported, which torch 2.6 cannot on the meta device.
        with torch.device("cpu"):
            yield
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise ModuleNotFoundError(
            f"{what} needs the package {package}: {pip_line('cli')}", name=package
        ) from error
