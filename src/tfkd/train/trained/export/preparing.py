"""`prepare.py`, which lies beside an exported network and gives the pixels that the run gives."""

from __future__ import annotations

import inspect
import re
import runpy
import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image

from tfkd.data import long_images
from tfkd.data.image_files import colours
from tfkd.train.trained.export import prepare
from tfkd.train.trained.network import TrainedNetwork

FILE = "prepare.py"


def prepare_text() -> str:
    """Return the source of `prepare.py`: this package's own, what it imports of it written out."""
    text = inspect.getsource(prepare)
    for module in (long_images, colours):
        text, found = re.subn(rf"from {re.escape(module.__name__)} import .*\n", "", text)
        assert found == 1
        text = text.replace("\n\ndef prepare(", f"\n\n{_body(module)}\n\n\ndef prepare(")
    return text.replace("\n\n\nwith ", "\n\nwith ")


def _body(module: ModuleType) -> str:
    """A module's source behind its imports."""
    text = inspect.getsource(module).partition("from __future__ import annotations\n")[2]
    lines = text.splitlines()
    imports = ("import ", "from ", "    from ", "if TYPE_CHECKING")
    first = next(n for n, line in enumerate(lines) if line and not line.startswith(imports))
    return "\n".join(lines[first:])


def check_prepared(trained: TrainedNetwork, folder: Path) -> None:
    """Check that `prepare.py` gives the run's pixels, of images of several kinds.

    Args:
        trained: the network.
        folder: in which it was written, with `preprocessing.json`.

    Raises:
        ValueError: if it does not.
    """
    prepared = runpy.run_path(str(folder / FILE))["prepare"]
    # By torch, as those of the small data sets are, a resized image may differ by a rounding.
    step = 1.01 / 255 / min(trained.identity.std) if trained.identity.fit == "square" else 1e-6
    with tempfile.TemporaryDirectory() as place:
        for file in _write_images(Path(place)):
            wanted = trained.preprocess(file).numpy()
            (got,) = prepared(file)
            if got.shape != wanted.shape or not np.abs(got - wanted).max() <= step:
                raise ValueError(
                    f"Expected {FILE} to give the pixels that the run gives, got others of "
                    f"{file.name}. Nothing was written."
                )


def _write_images(folder: Path) -> list[Path]:
    """Write an image that is transparent, one that is turned, and one of 16 bits."""
    noise = np.random.default_rng(0).integers(0, 256, (61, 47, 4), dtype=np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    files = [folder / name for name in ("transparent.png", "turned.jpg", "16-bit.png")]
    Image.fromarray(noise).save(files[0])
    Image.fromarray(noise[:, :, :3]).save(files[1], exif=turned)
    Image.fromarray(noise[:, :, 0].astype(np.uint16) * 257).save(files[2])
    return files
