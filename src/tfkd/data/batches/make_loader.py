"""From a split to its batches, wherever its images are."""

from __future__ import annotations

from typing import get_args

import torch

from tfkd._checks import check_choice, check_integer, check_workers
from tfkd.data.augmentation import Augmentation
from tfkd.data.batches.file_loader import FileLoader
from tfkd.data.batches.loader import EpochPlan, Loader, Normalise
from tfkd.data.batches.memory_loader import MemoryLoader
from tfkd.data.batches.partners import PartneredLoader, plan_beside
from tfkd.data.image_data import ImageData
from tfkd.data.images import ImageFiles, MemoryImages
from tfkd.data.splits import Split
from tfkd.method_table.method import Partners


def make_loader(
    data: ImageData,
    split: Split,
    *,
    batch_size: int,
    train: bool,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
    device: torch.device | str = "cpu",
    workers: int = 0,
    channels_last: bool = False,
    augment: bool | None = None,
    partners: Partners = "none",
) -> Loader:
    """Return the loader of a split.

    The order of an epoch is a function of (seed, epoch), the augmentation of a sample one of
    (seed, view, its index), where the view is the epoch, modulo `data.views` if that is given:
    neither depends on the batch size, the processes or the workers. With the balanced sampler,
    where a sample may come several times in an epoch, it is another augmentation each time.

    Args:
        data: the data set that the split is of.
        split: `data.train`, `data.validation` or `data.test`.
        batch_size: samples of a global batch. The last, smaller batch of an epoch is kept, except
            that training leaves out a last batch of one sample: batch norm cannot train on it.
        train: whether to shuffle and augment; otherwise samples come in order, unchanged.
        seed: of order and augmentation.
        rank: of this process.
        world_size: number of processes. Each takes a contiguous share of every global batch; the
            shares differ by at most one sample and may be empty.
        device: where the batches are wanted. Images in memory are copied there once.
        workers: processes that decode image files, no more than there are batches; 0: this one.
            Not used for images in memory.
        channels_last: whether the images are laid out with the channels last in memory.
        augment: whether to augment; None: as `train` says. With `train` False and this True every
            sample comes once, in order, as training shows it.
        partners: what each batch has beside it in training, as `partners`: for every image another
            `of the class`, drawn at random and perhaps the same one, in a view of its own; or
            `the last batch`, in another view, of which the very first has none. Half of the workers
            decode them, at least one.

    Raises:
        TypeError: for a number that is no int.
        ValueError: for a number out of range, a training split of fewer than two samples, or
            partners of what is not trained on.

    Example:
        >>> from tfkd.data import DataSettings, load_data
        >>> data = load_data(DataSettings("digits"))
        >>> loader = make_loader(data, data.train, batch_size=128, train=True)
        >>> batch = next(loader.batches(epoch=0))
        >>> len(loader), tuple(batch.images.shape), batch.global_size
        (9, (128, 1, 8, 8), 128)
    """
    check_integer("batch_size", batch_size, minimum=1)
    check_integer("seed", seed, minimum=0)
    check_workers(workers)
    check_integer("world_size", world_size, minimum=1)
    check_integer("rank", rank, minimum=0)
    if rank >= world_size:
        raise ValueError(f"Expected `rank` below the `world_size` of {world_size}, got {rank}.")
    augment = (train if augment is None else augment) and data.augmentation != Augmentation()
    plan = EpochPlan(
        len(split),
        batch_size,
        train,
        seed,
        rank,
        world_size,
        augment=augment,
        views=data.views,
        balanced=split.labels.numpy() if data.sampler == "balanced" else None,
    )
    if train and len(plan) == 0:
        raise ValueError(f"Expected at least 2 training samples, got {len(split)}.")
    device = torch.device(device)
    normalise = Normalise(data, device, channels_last)
    beside = None
    if partners != "none":
        check_choice("partners", partners, get_args(Partners))
        if not train:
            raise ValueError(f"Expected no `partners` without `train`, got {partners}.")
        beside = plan_beside(plan, partners, split.labels.numpy())
    if isinstance(split.official, MemoryImages):
        in_memory = MemoryLoader(plan, data, split, normalise, device)
        if beside is None:
            return in_memory
        return PartneredLoader(plan, in_memory, in_memory.beside(beside))
    if isinstance(split.official, ImageFiles):
        if beside is None:
            return FileLoader(plan, data, split, normalise, device, workers)
        half = -(-workers // 2)
        return PartneredLoader(
            plan,
            FileLoader(plan, data, split, normalise, device, half),
            FileLoader(beside, data, split, normalise, device, half),
        )
    raise TypeError(f"Expected images in memory or files, got {type(split.official).__name__}.")
