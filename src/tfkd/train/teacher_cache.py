"""The cache of a network teacher's outputs: made once, beside the teacher, for all it teaches."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import find_executable_batch_size
from torch import Tensor, nn

from tfkd.data import Augmentation, ImageData, identify, make_loader
from tfkd.data.images import ImageFiles
from tfkd.runs.applies import sampling_temperature
from tfkd.runs.directory import RunDirectory
from tfkd.runs.environment import package_version
from tfkd.runs.lock import wait_for_lock
from tfkd.runs.settings import RunSettings, RunTeacher, TeacherSettings
from tfkd.teachers import CachedTeacher
from tfkd.teachers.cache.description import DESCRIPTION
from tfkd.teachers.cache.forms import StoredForm
from tfkd.train.memory import at_once
from tfkd.train.progress import Progress
from tfkd.train.stopping import Signals, end, launcher

CPU_BATCH = 512
LARGEST_BATCH = 4096
"""On an accelerator, where the batch is made smaller until it fits."""


def cached_teacher(
    settings: RunSettings,
    data: ImageData,
    model: nn.Module,
    *,
    accelerator: Accelerator,
    workers: int,
    progress: Progress,
) -> CachedTeacher:
    """Return the teacher of a run from its cache, which is made where there is none.

    Runs that need the same cache at the same time make it once: the others wait. Of several
    processes of a run the main one makes it.

    Args:
        settings: of the run that is taught.
        data: its data.
        model: the network that teaches.
        accelerator: of the run; the network is asked in its precision.
        workers: processes that decode image files.
        progress: told of every batch.

    Raises:
        ValueError: if the cache is damaged or was made for something else.
        OSError: if there is no room for it, or no locks.
    """
    assert settings.teacher is not None
    identity = cache_identity(settings, data, model)
    path = cache_path(settings.teacher, identity)
    finished = path / DESCRIPTION
    made = False
    if not accelerator.is_main_process:
        # Not at a barrier, which gives up after minutes: a failing main process ends this one.
        watched = Signals(twice=False, launcher=launcher())
        while not finished.is_file():
            if (number := watched.asked()) != 0:
                end(number, "stopped before training")
            time.sleep(0.2)
    elif not finished.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with wait_for_lock(path.with_suffix(".lock")):
            if not finished.is_file():
                _record(path, settings, data, model, identity, accelerator, workers, progress)
                made = True
    # One process reads what is there; if it is damaged, that ends the others.
    return CachedTeacher(path, identity=identity, verify=accelerator.is_main_process and not made)


def check_cached_classes(teacher: TeacherSettings | None, data: ImageData) -> None:
    """Raise `ValueError` for a cache that keeps as many classes as there are, or more."""
    form = "none" if teacher is None else teacher.cache
    kept = None if form == "none" else StoredForm(form).kept
    if kept is not None and kept >= data.num_classes:
        raise ValueError(
            f"Expected `teacher_cache` of fewer than the {data.num_classes} classes, got {form}: "
            "float16 stores all of them."
        )


def cache_identity(settings: RunSettings, data: ImageData, model: nn.Module) -> dict[str, str]:
    """Return what the outputs of a teacher are a function of, and so must match."""
    assert settings.teacher is not None
    augmented = data.augmentation != Augmentation()
    identity = {
        "weights": digest_of_weights(model),
        "data": identify(data).digests["train"],
        "image_size": str(data.image_size),
        "normalisation": f"mean {data.mean}, std {data.std}",
        "augmentation": repr(data.augmentation),
        "views": str(number_of_views(settings, data)),
        "precision": settings.recipe.mixed_precision,
        "form": settings.teacher.cache,
    }
    temperature = drawn_at(settings)
    if augmented or temperature is not None:
        identity["seed"] = str(settings.seed)
    if temperature is not None:
        identity["temperature"] = str(temperature)
    if isinstance(data.train.official, ImageFiles):
        # Which pixels a file gives, and what is drawn for its crops, is theirs to say.
        packages = ("torchvision", "pillow")
        identity["decoding"] = ", ".join(f"{name} {package_version(name)}" for name in packages)
        identity["seen"] = f"{data.fit} {data.crop_fraction}, {data.interpolation}"
    return identity


def drawn_at(settings: RunSettings) -> float | None:
    """Return the temperature at which answers are drawn; None where they are not."""
    if settings.teacher is None or StoredForm(settings.teacher.cache).draws is None:
        return None
    method = settings.method
    return sampling_temperature(method.name, method.dialect, method.numbers)


def number_of_views(settings: RunSettings, data: ImageData) -> int:
    """Return how many views of each sample a run shows."""
    if data.augmentation == Augmentation():
        return 1
    return settings.recipe.epochs if data.views is None else min(data.views, settings.recipe.epochs)


def cache_path(teacher: TeacherSettings, identity: dict[str, str]) -> Path:
    """Return where a cache lies: with the teacher, so that all that it teaches find it."""
    if isinstance(teacher, RunTeacher):
        home = RunDirectory(teacher.run).teacher_cache_folder
    else:
        home = Path(teacher.weights).with_suffix(".teacher-cache")
    text = "\n".join(f"{name}={identity[name]}" for name in sorted(identity))
    return home / hashlib.sha256(text.encode()).hexdigest()[:16]


def digest_of_weights(model: nn.Module) -> str:
    """Return the SHA-256 of the network's structure, its parameters and its buffers, by name."""
    total = hashlib.sha256(repr(model).encode())
    for name, tensor in sorted(model.state_dict().items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        total.update(flat.view(torch.uint8).numpy().data)
    return total.hexdigest()


def _record(
    path: Path,
    settings: RunSettings,
    data: ImageData,
    model: nn.Module,
    identity: dict[str, str],
    accelerator: Accelerator,
    workers: int,
    progress: Progress,
) -> None:
    assert settings.teacher is not None
    form = settings.teacher.cache
    views, samples = number_of_views(settings, data), len(data.train)
    needed = StoredForm(form).bytes_of_cache(
        data.num_classes, samples=samples, views=views, largest=int(data.train.indices.max())
    )
    _check_room(path.parent, needed)

    def batches(batch_size: int) -> Iterator[tuple[Tensor, Tensor, int]]:
        loader = make_loader(
            data,
            data.train,
            batch_size=at_once(data, batch_size)
            if accelerator.device.type == "cpu"
            else batch_size,
            train=False,
            augment=True,
            seed=settings.seed,
            device=accelerator.device,
            workers=workers,
            channels_last=True,
        )
        done = 0
        for view in range(views):
            for batch in loader.batches(epoch=view):
                progress.teacher(done, views * samples)
                yield batch.images, batch.indices, batch.view
                done += len(batch.labels)
        progress.teacher(done, views * samples)

    def record(batch_size: int) -> None:
        with accelerator.autocast():
            CachedTeacher.record(
                path,
                model,
                batches(batch_size),
                form=form,
                identity=identity,
                temperature=drawn_at(settings),
                seed=settings.seed,
            )

    model.to(accelerator.device)
    in_batches_that_fit(record, accelerator.device, samples)


def in_batches_that_fit(record: Callable[[int], None], device: torch.device, samples: int) -> None:
    """Call `record` with a batch size: on an accelerator the largest that its memory allows."""
    if device.type == "cpu":
        record(CPU_BATCH)
    else:
        # Begins anew with a smaller one when memory runs out, as it does at the first batch.
        find_executable_batch_size(record, starting_batch_size=min(LARGEST_BATCH, samples))()


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"Expected room for a teacher cache of {needed / 1e9:.3g} GB in {folder}, which has "
            f"{free / 1e9:.3g} GB. Fewer `views`, or a smaller `teacher_cache` as float16 or "
            "top-10, take less."
        )
