"""How a teacher's outputs are stored: exactly, in half precision, the largest, or drawn ones."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from tfkd.teachers.cache.sampling import Sampling, drawn
from tfkd.teachers.few_logits import FewLogits, all_logits

TEMPERATURES = (1.0, 4.0, 20.0)
"""At which the error of a form is measured: none, one usual in distillation, the paper's."""


@final
@dataclass(frozen=True)
class StoredForm:
    """A form by its name.

    `float32`
        The logits as they are.
    `float16`
        Half of the bytes: logits less the largest of their sample. That changes no softmax, and
        the likely classes are rounded least.
    `top-K`, as `top-10`
        The K largest logits and their classes, and one more for all others, which share their
        mass at temperature 1 evenly; in float16.
    `sampled-N`, as `sampled-12`
        How often each class came in N draws from the softmax at one temperature, which is asked
        at that temperature alone. It is noisy, and right on average.

    Args:
        name: of the form.
        sampling: with what is drawn; needed by `encode`, `answer` and `decode` of a `sampled-N`.

    Raises:
        ValueError: for another name, or a sampling without draws.
    """

    name: str
    sampling: Sampling | None = None

    def __post_init__(self) -> None:
        if self.name not in ("float32", "float16") and not re.fullmatch(
            "top-[1-9][0-9]*|sampled-[1-9][0-9]{0,3}", self.name
        ):
            raise ValueError(
                "Expected `form` to be float32, float16 or top-K with a number of classes, as "
                "top-10, or sampled-N with a number of draws below 10000, as sampled-12, got "
                f"{self.name[:80]!r}."
            )
        if self.sampling is not None and self.draws is None:
            raise ValueError(
                f"Expected no `temperature` with the form {self.name}, which serves any, got "
                f"{self.sampling.temperature:g}."
            )

    @property
    def kept(self) -> int | None:
        """How many classes are kept; None: all."""
        return int(self.name[4:]) if self.name.startswith("top-") else None

    @property
    def draws(self) -> int | None:
        """How often a class is drawn; None: what is stored is not drawn."""
        return int(self.name[8:]) if self.name.startswith("sampled-") else None

    @property
    def temperatures(self) -> tuple[float, ...]:
        """At which the error is measured."""
        return TEMPERATURES if self.draws is None else (self._sampling.temperature,)

    @property
    def _sampling(self) -> Sampling:
        if self.sampling is None:
            raise ValueError(
                f"Expected `temperature` with the form {self.name}: that of the loss, from whose "
                "softmax classes are drawn."
            )
        return self.sampling

    def bytes_per_sample(self, num_classes: int) -> int:
        """Return what the logits of a sample take."""
        if self.draws is not None:
            stored = min(self.draws, num_classes)
            return stored * (torch.int16.itemsize + _class_dtype(num_classes).itemsize)
        if self.kept is None:
            return num_classes * (4 if self.name == "float32" else 2)
        return 2 * (self.kept + 1) + self.kept * _class_dtype(num_classes).itemsize

    def bytes_of_cache(self, num_classes: int, *, samples: int, views: int, largest: int) -> int:
        """Return what the columns of a cache take, of samples with indices up to `largest`.

        Beside the logits there is the row of each index in each view.
        """
        logits = samples * self.bytes_per_sample(num_classes)
        return views * (logits + (largest + 1) * torch.int64.itemsize)

    def layout(self, shape: tuple[int, ...]) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
        """Return dtype and shape of a row of each column, for outputs of a shape `(K, ...)`.

        Raises:
            ValueError: for fewer classes than are kept.
        """
        if self.draws is not None:
            stored = (min(self.draws, shape[0]), *shape[1:])
            return {"counts": (torch.int16, stored), "classes": (_class_dtype(shape[0]), stored)}
        if self.kept is None:
            return {"values": (torch.float32 if self.name == "float32" else torch.float16, shape)}
        self._check_classes(shape[0])
        dense = shape[1:]
        return {
            "values": (torch.float16, (self.kept + 1, *dense)),
            "classes": (_class_dtype(shape[0]), (self.kept, *dense)),
        }

    def _check_classes(self, num_classes: int) -> None:
        if self.kept is not None and self.kept >= num_classes:
            raise ValueError(
                f"Expected `form` with fewer than the {num_classes} classes, got {self.name}: "
                "float16 stores all of them."
            )

    def encode(
        self, logits: Tensor, indices: Tensor | None = None, view: int = 0
    ) -> dict[str, Tensor]:
        """Return the columns that store logits.

        Args:
            logits: `(n, K, ...)`, floating point; minus infinity masks a class.
            indices: `(n,)` int64, of the samples, by which is drawn; None: they are not drawn.
            view: of the samples, alike.

        Raises:
            ValueError: for logits that are NaN or plus infinity, samples of which every class is
                masked, or fewer classes than are kept.
        """
        # The largest is NaN where one is, and infinite where one is or all are masked.
        if not bool(logits.amax(1).isfinite().all()):
            raise ValueError("Expected finite logits of the teacher, got NaN or infinity.")
        if self.draws is None:
            return self.columns(logits)
        assert indices is not None
        classes, counts = drawn(logits, indices, view, draws=self.draws, sampling=self._sampling)
        return {"counts": counts.short(), "classes": classes.to(_class_dtype(logits.shape[1]))}

    def columns(self, logits: Tensor) -> dict[str, Tensor]:
        """Return the columns of logits that are known to be finite, and are not looked at."""
        if self.name == "float32":
            return {"values": logits.float()}
        if self.kept is None:
            return {"values": _half(logits - logits.amax(1, keepdim=True))}
        num_classes = logits.shape[1]
        self._check_classes(num_classes)
        largest, classes = logits.float().topk(self.kept, dim=1)
        others = logits.float().scatter(1, classes, -math.inf).logsumexp(1, keepdim=True)
        each = others - math.log(num_classes - self.kept)
        values = torch.cat([largest, each], dim=1) - largest.narrow(1, 0, 1)
        return {"values": _half(values), "classes": classes.to(_class_dtype(num_classes))}

    def answer(self, columns: dict[str, Tensor]) -> Tensor | FewLogits:
        """Return what columns stand for, in float32: logits `(n, K, ...)`, or those of a few."""
        if self.draws is not None:
            # Softened as they will be, they are the counts over the draws.
            values = columns["counts"].float().log() * self._sampling.temperature
            return FewLogits(values, columns["classes"].long())
        values = columns["values"].float()
        if self.kept is None:
            return values
        largest, others = values.narrow(1, 0, self.kept), values.select(1, self.kept)
        return FewLogits(largest, columns["classes"].long(), others)

    def decode(self, columns: dict[str, Tensor], num_classes: int) -> Tensor:
        """Return the same as the logits of all classes."""
        answer = self.answer(columns)
        return all_logits(answer, num_classes) if isinstance(answer, FewLogits) else answer


def total_variation(logits: Tensor, restored: Tensor, temperature: float) -> Tensor:
    """Return half of Σ_k |p_k − p'_k| of each position, in [0, 1], between the two softmaxes."""
    p = (logits.float() / temperature).softmax(1)
    # Rounded sums may pass 1.
    return ((p - (restored / temperature).softmax(1)).abs().sum(1) / 2).clamp(max=1.0)


def _half(values: Tensor) -> Tensor:
    """In float16; what is too far below for it is as far below as it can say, masks stay."""
    lowest = torch.finfo(torch.float16).min
    return torch.where(values == -math.inf, values, values.clamp(min=lowest)).half()


def _class_dtype(num_classes: int) -> torch.dtype:
    return torch.int16 if num_classes <= torch.iinfo(torch.int16).max + 1 else torch.int32
