"""A trained network, ready to be asked: classes, how images are prepared for it, answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tfkd._checks import check_integer
from tfkd._counted import number_of
from tfkd._few_images import LEAST
from tfkd.data import DataIdentity
from tfkd.data.image_files import to_rgb
from tfkd.data.preparation import read_pixels, to_pixels
from tfkd.runs import Recipe, RunDirectory
from tfkd.train.memory import at_once
from tfkd.train.trained.prediction import Prediction, predictions
from tfkd.train.trained.temperature import temperature_of

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

    Image: TypeAlias = "Path | str | PILImage | NDArray[np.uint8]"

BATCH = 64
USUAL_TOP = 3


@dataclass(frozen=True, repr=False)
class TrainedNetwork:
    """A network of a finished run, in eval mode.

    Attributes:
        network: from images (N, C, size, size), as `preprocess` returns them, to logits (N, K).
        identity: of the data that it was trained on.
        recipe: that it was trained by.
        run: whose it is; None if that is not known.
        epoch: after which these weights were kept; None: the final ones.
    """

    network: nn.Module
    identity: DataIdentity
    recipe: Recipe
    run: RunDirectory | None = None
    epoch: int | None = None

    def __repr__(self) -> str:
        size, identity = self.identity.image_size, self.identity
        return (
            f"<TrainedNetwork {self.recipe.student}: {identity.name}, {len(self.classes)} classes, "
            f"{identity.channels} × {size} × {size}, on {self.device}>"
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes, in the order of the logits."""
        return self.identity.classes

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @property
    def at_once(self) -> int:
        """How many images are looked at together."""
        return at_once(self.identity, BATCH)

    @cached_property
    def temperature(self) -> float:
        """The temperature that was fitted on the run's validation split; logits are divided by it.

        Where the run does not tell it, as for a snapshot, it is fitted now.

        Raises:
            FileNotFoundError: if the validation images are needed for that and not there.
            ValueError: if there is no validation split, or it is no longer the run's.
        """
        if self.run is None:
            raise ValueError("Expected a network of a run, which has a temperature, got another.")
        return temperature_of(self.run, self.network, epoch=self.epoch)

    @property
    def fitted_on(self) -> int:
        """How many images a temperature is fitted on: those of the run's validation split."""
        return 0 if self.run is None else self.run.data().samples["validation"]

    def checked_temperature(self, least_images: int = LEAST) -> float:
        """Return the temperature, if there are images enough to be fitted on.

        Args:
            least_images: how many are enough.

        Raises:
            ValueError: for fewer, or as of `temperature`.
        """
        check_integer("least_images", least_images, minimum=1)
        if 0 < self.fitted_on < least_images:
            raise ValueError(
                "Expected a temperature for `calibrated` that was fitted on at least "
                f"{number_of(least_images, 'image')}, got one of {self.fitted_on}, which may be "
                "far off. To take it all the same: `least_images` 1."
            )
        return self.temperature

    def to(self, device: torch.device | str) -> TrainedNetwork:
        """Move the network to a device, and return itself."""
        self.network.to(device)
        return self

    def preprocess(self, image: Image) -> Tensor:
        """Return an image as the network is shown it, prepared as the run's own test images.

        Args:
            image: a path, an image of Pillow, or an array of bytes: (H, W), (H, W, 3), or
                (H, W, 4) with transparency.

        Returns:
            (C, size, size) float32, normalised, on the CPU.

        Raises:
            TypeError: for anything else, or an array of another dtype.
            ValueError: for a file that cannot be read, or an array of another shape.
        """
        return self.normalise(_pixels(image, self.identity))

    def normalise(self, pixels: Tensor) -> Tensor:
        """Return bytes (…, C, size, size), prepared but for it, as normalised float32."""
        mean, std = (
            torch.tensor(values, dtype=torch.float64, device=pixels.device).view(-1, 1, 1)
            for values in (self.identity.mean, self.identity.std)
        )
        return ((pixels.double() / 255 - mean) / std).float()

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Return the logits (N, K) of prepared images (N, C, size, size), on the network's device.

        Raises:
            TypeError: for what is no tensor of floating-point numbers.
            ValueError: for another shape.
        """
        size = self.identity.image_size
        shape = (self.identity.channels, size, size)
        if not isinstance(images, Tensor) or not images.is_floating_point():
            got = images.dtype if isinstance(images, Tensor) else type(images).__name__
            raise TypeError(f"Expected `images` of floating-point numbers, got {got}.")
        if images.ndim != 4 or images.shape[1:] != shape:
            raise ValueError(
                f"Expected `images` of shape (N, {', '.join(map(str, shape))}), as `preprocess` "
                f"prepares them, got {tuple(images.shape)}."
            )
        logits: Tensor = self.network(images.to(self.device, torch.float32))
        return logits

    @property
    def usual_top(self) -> int:
        """How many classes are given where nobody says it."""
        return len(self.classes) if self.recipe.data.several_labels else USUAL_TOP

    def answers(self, logits: Tensor, files: list[Path | None], *, top: int) -> list[Prediction]:
        """Return what logits (N, K) say of N images."""
        several = self.recipe.data.several_labels
        return predictions(logits, self.classes, files, top=top, several_labels=several)

    def predict(
        self,
        images: Image | Tensor | Iterable[Image | Tensor],
        *,
        top: int | None = None,
        batch_size: int | None = None,
        calibrated: bool = False,
        least_images: int = LEAST,
    ) -> list[Prediction]:
        """Return what the network takes images for.

        Args:
            images: one or several: what `preprocess` takes, or tensors that it has returned,
                (C, size, size) or, as a batch, (N, C, size, size).
            top: how many classes to give for each, at least 1; all, if there are fewer. None: 3, or
                all where an image may have several labels.
            batch_size: how many are asked about at once; None: 64, and of images above 224 pixels
                fewer, by their area.
            calibrated: give the probabilities after the run's temperature, which are as sure as the
                network is right; the classes and their order are the same.
            least_images: validation images that the temperature must have been fitted on.

        Returns:
            One prediction for each image, in their order.

        Raises:
            TypeError: for what is no image.
            ValueError: for a file that cannot be read, a wrong shape, a `top` or `batch_size`
                below 1, or `calibrated` of a run without a validation split, or with a smaller one.

        Example:
            >>> trained = load("results/one-run")
            >>> [prediction] = trained.predict(np.full((20, 20), 255, dtype=np.uint8), top=2)
            >>> [name for name, _ in prediction.classes]
            ['1', '8']
        """
        top = self.usual_top if top is None else check_integer("top", top, minimum=1)
        if batch_size is None:
            batch_size = self.at_once
        check_integer("batch_size", batch_size, minimum=1)
        temperature = self.checked_temperature(least_images) if calibrated else 1.0
        rest, found = _several(images), []
        while batch := list(islice(rest, batch_size)):
            prepared = [
                image if isinstance(image, Tensor) else self.preprocess(image) for image in batch
            ]
            files = [Path(image) if isinstance(image, (str, Path)) else None for image in batch]
            logits = self.logits(torch.stack(prepared)).double() / temperature
            found += self.answers(logits, files, top=top)
        return found


def load(run: Path | str, epoch: int | None = None) -> TrainedNetwork:
    """Return the network of a finished run, on the CPU and in eval mode.

    Args:
        run: directory of the run.
        epoch: the snapshot kept after this epoch; None: the final weights.

    Raises:
        FileNotFoundError: if there is no such run, or it has no such weights.
        ValueError: for files that no run has written.

    Example:
        >>> import tfkd.train
        >>> trained = tfkd.train.load("results/one-run")
        >>> trained.classes[:3], trained.network.training
        (('0', '1', '2'), False)
        >>> trained.preprocess(np.zeros((30, 20), dtype=np.uint8)).shape
        torch.Size([1, 8, 8])
    """
    directory = RunDirectory(run)
    network = directory.load_model(epoch)
    return TrainedNetwork(network, directory.data(), directory.settings().recipe, directory, epoch)


def best_device() -> torch.device:
    """Return the GPU that there is, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _several(images: Any) -> Iterator[Any]:
    """One image, or each of several."""
    from PIL import Image

    if isinstance(images, (str, Path, Image.Image, np.ndarray)):
        return iter([images])
    if isinstance(images, Tensor) and images.ndim == 3:
        return iter([images])
    return iter(images)


def _pixels(image: Any, identity: DataIdentity) -> Tensor:
    """An image as bytes of the right size."""
    from PIL import Image

    if isinstance(image, (str, Path)):
        if Path(image).is_dir():
            raise ValueError(
                f"Expected an image, got the folder {image}. Of its images, one after another: "
                f"tfkd.train.predict_files(RUN, sorted(Path({str(image)!r}).glob('**/*.jpg')))."
            )
        return read_pixels(Path(image), identity)
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8:
            raise TypeError(f"Expected an array of bytes, uint8, got {image.dtype}.")
        if image.ndim != 2 and (image.ndim != 3 or image.shape[2] not in (3, 4)):
            raise ValueError(
                f"Expected an array of shape (H, W), (H, W, 3) or (H, W, 4), got {image.shape}."
            )
        image = Image.fromarray(image)
    if not isinstance(image, Image.Image):
        raise TypeError(
            "Expected `image` to be a path, an image of Pillow or an array of bytes, got "
            f"{type(image).__name__}."
        )
    return to_pixels(to_rgb(image), identity)
