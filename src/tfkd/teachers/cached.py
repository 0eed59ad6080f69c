"""A trained network as teacher that has answered before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from tfkd.teachers.asking import logits_of_network
from tfkd.teachers.base import Batch, Teacher, has_values_at_hand
from tfkd.teachers.cache.description import Error, read_description, what_to_delete
from tfkd.teachers.cache.files import CacheWriter, map_columns
from tfkd.teachers.cache.forms import StoredForm
from tfkd.teachers.cache.given import check_asked, parts_of
from tfkd.teachers.cache.identity import check_belongs, check_identity
from tfkd.teachers.cache.sampling import Sampling
from tfkd.teachers.cache.verification import verify_columns
from tfkd.teachers.few_logits import FewLogits
from tfkd.teachers.network import NetworkTeacher


@final
class CachedTeacher(Teacher):
    """Answers with outputs that are stored on disk, by sample and view.

    A network that teaches says the same of the same image every time. Where training shows each
    sample in a fixed number of views (one, without augmentation), `CachedTeacher.record` asks it
    once for each, and the student's steps cost no pass of the teacher any more.

    Stored as `float32` the outputs are those of the network; `float16` and `top-K` take less room,
    and state their error, measured while they were written: the total variation distance between
    the softmax of what the network said and of what is restored. `sampled-N` has how often each
    class came in N draws: on average that is the network's softmax, at the one temperature that it
    was drawn at, and so is the gradient of the loss. Of a `top-K` and a `sampled-N` the answer is
    `FewLogits`, and nothing of size `(N, K)` is built.

    The files are mapped into memory: a batch reads its own rows alone, and processes share them.

    Args:
        path: directory of the cache.
        identity: what the cache must belong to; None: it is not asked.
        resident_bytes: a cache of up to so many bytes is copied to the accelerator that asks. A
            larger one stays on disk, and each batch waits for its rows.
        verify: read every file once and hold it against its checksum. Without it their sizes alone
            are looked at, and a bit that flipped on the disk is believed.

    Raises:
        FileNotFoundError: if there is no finished cache, or a file of it is missing.
        ValueError: if it belongs elsewhere, naming what differs, or is damaged, naming the file.
            When a batch comes: for a student of other classes, samples or a view that it does not
            hold, or at another temperature than it was drawn at. On an accelerator,
            under `torch.compile` and `torch.func`, where samples cannot be looked at without
            waiting, the logits of unknown ones are NaN instead.
        TypeError: for an `identity` that is no dict of text to text; when a batch comes without
            `indices`, or without `view` where there are several.

    Example:
        >>> import tempfile, torch, tfkd
        >>> _ = torch.manual_seed(0)
        >>> inputs, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
        >>> network, student = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)
        >>> everything = torch.arange(6)
        >>> batches = [(inputs[part], part, 0) for part in everything.split(4)]
        >>> folder = tempfile.TemporaryDirectory()
        >>> teacher = tfkd.CachedTeacher.record(folder.name, network, batches)
        >>> criterion = tfkd.knowledge_distillation(teacher, alpha=0.5)
        >>> part = torch.tensor([5, 0, 3])
        >>> cached = criterion(student(inputs[part]), labels[part], indices=part)
        >>> criterion = tfkd.knowledge_distillation(network, alpha=0.5)
        >>> asked = criterion(student(inputs[part]), labels[part], inputs[part])
        >>> abs(cached.item() - asked.item()) < 1e-6
        True
        >>> small = tfkd.CachedTeacher.record(folder.name + "/top", network, batches, form="top-1")
        >>> round(small.total_variation["1"]["largest"], 3)
        0.046
        >>> folder.cleanup()
    """

    def __init__(
        self,
        path: Path | str,
        *,
        identity: dict[str, str] | None = None,
        resident_bytes: int = 2**30,
        verify: bool = True,
    ) -> None:
        super().__init__()
        self.path = Path(path)
        self.resident_bytes = resident_bytes
        if identity is not None:
            check_identity(identity)
        description = read_description(self.path)
        self.identity: dict[str, str] = description.identity
        if identity is not None:
            check_belongs(self.path, self.identity, identity)
        self.form: str = description.form
        self.views: int = description.views
        self.total_variation: dict[str, Error] = description.total_variation
        self.seconds: float = description.seconds
        self.samples: int = description.rows // self.views
        self._form = StoredForm(self.form, description.sampling)
        self._num_classes: int = description.shape[0]
        self._rows: int = description.rows
        columns = map_columns(self.path, description)
        if verify:
            verify_columns(self.path, description)
        self.bytes = sum(column.numel() * column.element_size() for column in columns.values())
        # By device; in a plain dictionary, torch takes them for neither buffers nor state.
        self._columns = {torch.device("cpu"): columns}

    @classmethod
    def record(
        cls,
        path: Path | str,
        model: nn.Module,
        batches: Iterable[tuple[Tensor | Mapping[str, Any], Tensor, int]],
        *,
        form: str = "float32",
        identity: dict[str, str] | None = None,
        class_dim: int = 1,
        temperature: float | None = None,
        seed: int = 0,
    ) -> CachedTeacher:
        """Ask a network about every sample and view once, and store what it says.

        Args:
            path: directory of the cache, made where it is missing.
            model: maps inputs to logits `(n, K)` or `(n, K, d1, ...)`, as of
                `NetworkTeacher`. A frozen copy in eval mode is asked, under `torch.inference_mode`;
                for lower precision put `torch.autocast` around the call.
            batches: inputs, indices `(n,)` int64 that number the samples from 0, and the view,
                from 0. Every view has the same samples, each once; any order.
            form: `float32` (exact), `float16`, `top-K` with a number of classes, as `top-10`, or
                `sampled-N` with a number of draws, as `sampled-12`.
            identity: what the cache belongs to, in your words: weights, data, augmentation.
            class_dim: which dimension of what `model` says is the classes, as of the loss; they are
                stored as the second.
            temperature: of the loss, for a `sampled-N` alone, which is drawn at it.
            seed: of the draws. Those of a sample depend on it, on its index and view, and not on
                the batch in which it comes.

        Returns:
            The teacher, from the files.

        Raises:
            FileExistsError: if there is a finished cache, or another process makes one.
            TypeError: for batches of something else, `indices` that are no int64, or an `identity`
                that is no dict of text to text; the last before the network is asked.
            ValueError: for an unknown form, draws without a temperature, no batches, views of
                different samples, or logits that are NaN or infinite.
        """
        if identity is not None:
            check_identity(identity)
        network = NetworkTeacher(model).model
        sampling = None if temperature is None else Sampling(float(temperature), seed)
        with CacheWriter(Path(path), StoredForm(form, sampling)) as writer:
            for batch in batches:
                inputs, indices, view = parts_of(batch)
                with torch.inference_mode():
                    logits = logits_of_network(
                        network, inputs, whose="the teacher's `model`", class_dim=class_dim
                    )
                    writer.add(logits, indices, view)
            writer.finish(identity or {})
        # Summed while it was written; read now it would come from memory, not from the disk.
        return cls(path, identity=identity, verify=False)

    def forward(self, batch: Batch) -> Tensor | FewLogits:
        """Return the stored logits of `batch.indices` in `batch.view`."""
        if batch.indices is None:
            raise TypeError(
                "Expected `indices`, by which a cached teacher knows the samples, got None. Call "
                "the loss as `criterion(student_logits, labels, indices=indices, view=view)`."
            )
        if batch.indices.dtype != torch.int64:
            raise TypeError(f"Expected `indices` of dtype int64, got {batch.indices.dtype}.")
        check_asked(batch.student_logits, batch.indices, self._num_classes, self.path)
        self._check_temperature(batch.temperature)
        device = batch.student_logits.device
        columns = self._on(device)
        positions = columns["positions"][self._view(batch.view)]
        indices = batch.indices.to(positions.device).reshape(-1)
        rows = positions.index_select(0, indices.clamp(0, len(positions) - 1))
        known = (rows >= 0) & (indices >= 0) & (indices < len(positions))
        looks = has_values_at_hand(positions)
        if looks:
            if not bool(known.all()):
                raise ValueError(
                    f"Expected `indices` of the {self.samples} samples in {self.path}, got "
                    f"{int(indices[~known][0])}."
                )
            said = self._looked_up(columns, rows)
        else:
            known &= rows < self._rows
            said = self._stored(columns, rows.clamp(0, self._rows - 1))
        alone = batch.indices.dim() == 0

        def there(stored: Tensor) -> Tensor:
            if not looks and stored.is_floating_point():
                stored = stored.masked_fill(~known.view(-1, *[1] * (stored.dim() - 1)), torch.nan)
            return (stored.squeeze(0) if alone else stored).to(device)

        if not isinstance(said, FewLogits):
            return there(said)
        values, classes, others = said
        others = there(others) if isinstance(others, Tensor) else others
        return FewLogits(there(values), there(classes), others)

    def _check_temperature(self, temperature: Tensor | float) -> None:
        sampling = self._form.sampling
        if sampling is None:
            return
        if isinstance(temperature, Tensor) or temperature != sampling.temperature:
            got = "one of a schedule" if isinstance(temperature, Tensor) else f"{temperature:g}"
            raise ValueError(
                f"Expected a loss of `temperature` {sampling.temperature:g}, at which the teacher "
                f"cache in {self.path} was drawn, got {got}. Draw one at that temperature, or "
                "store a top-K, which serves any."
            )

    def _stored(self, columns: dict[str, Tensor], rows: Tensor) -> Tensor | FewLogits:
        stored = {
            name: column.index_select(0, rows)
            for name, column in columns.items()
            if name != "positions"
        }
        return self._form.answer(stored)

    def _looked_up(self, columns: dict[str, Tensor], rows: Tensor) -> Tensor | FewLogits:
        try:
            said = self._stored(columns, rows)
            if isinstance(said, FewLogits) and said.classes.numel() > 0:
                self._check_classes(said.classes)
            return said
        except (IndexError, RuntimeError) as error:  # torch's own checks of rows and classes
            raise ValueError(
                f"Expected rows and classes of the teacher cache in {self.path}, but: {error}. "
                f"{what_to_delete(self.path)}"
            ) from error

    def _check_classes(self, classes: Tensor) -> None:
        lowest, highest = classes.aminmax()
        if not 0 <= int(lowest) <= int(highest) < self._num_classes:
            raise IndexError(f"class {int(lowest)} or {int(highest)} is out of range")

    def _view(self, view: int | None) -> int:
        if view is None:
            if self.views > 1:
                raise TypeError(
                    f"Expected `view`, one of the {self.views} of the teacher cache, got None. "
                    "Call the loss as `criterion(student_logits, labels, indices=indices, "
                    "view=view)`."
                )
            return 0
        if not 0 <= view < self.views:
            raise ValueError(
                f"Expected `view` in [0, {self.views - 1}] of the teacher cache, got {view}."
            )
        return view

    def _on(self, device: torch.device) -> dict[str, Tensor]:
        """The columns, on the device if there is room for them."""
        if device not in self._columns:
            if device.type in ("cpu", "meta") or self.bytes > self.resident_bytes:
                return self._columns[torch.device("cpu")]
            there = self._columns[torch.device("cpu")]
            self._columns[device] = {name: column.to(device) for name, column in there.items()}
        return self._columns[device]

    def describe(self) -> dict[str, Any]:
        """Return the form with its error, the numbers of samples and views, bytes and seconds."""
        return {
            "form": self.form,
            "samples": self.samples,
            "views": self.views,
            "total_variation": self.total_variation,
            "bytes": self.bytes,
            "seconds": self.seconds,
        }

    def extra_repr(self) -> str:
        """Return the settings and the error for `repr`."""
        temperature, error = next(iter(self.total_variation.items()))
        drawn = "" if self._form.sampling is None else f" at temperature {temperature}"
        return (
            f"form={self.form!r}, samples={self.samples}, views={self.views}, total "
            f"variation{drawn} at most {error['largest']:.2g}, on average {error['mean']:.2g}"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies, also in other processes, map the same files, and need not read them again.
        return _opened, (self.path, self.identity, self.resident_bytes)


def _opened(path: Path, identity: dict[str, str], resident_bytes: int) -> CachedTeacher:
    return CachedTeacher(path, identity=identity, resident_bytes=resident_bytes, verify=False)
