"""How a network is asked, whatever it takes and whatever it wraps its logits in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from tfkd.teachers.logits import classes_second


def logits_of_network(
    network: nn.Module,
    inputs: Any,
    *,
    whose: str,
    class_dim: int = 1,
    buffers: dict[str, Tensor] | None = None,
) -> Tensor:
    """Return a network's logits, the classes second.

    Args:
        network: answers with logits; or with them under `.logits`, or in a mapping as `"logits"`,
            as models of Hugging Face do.
        inputs: a tensor; or a mapping, whose entries it takes by name.
        whose: what to call it if it answers something else.
        class_dim: which dimension of its logits is the classes.
        buffers: used in place of its own.

    Raises:
        TypeError: for another answer.
    """
    taken, named = ((), dict(inputs)) if isinstance(inputs, Mapping) else ((inputs,), {})
    if buffers is None:
        said = network(*taken, **named)
    else:
        said = functional_call(network, buffers, taken, named)
    logits = said.get("logits") if isinstance(said, Mapping) else getattr(said, "logits", said)
    if not isinstance(logits, Tensor):
        raise TypeError(
            f"Expected {whose} to return a tensor, or an answer with `logits`, got "
            f"{type(said).__name__}. Wrap it in a torch.nn.Module that returns its logits."
        )
    # A wrong number of dimensions is told where it is held against the student's.
    fits = -logits.dim() <= class_dim < logits.dim()
    return classes_second(logits, class_dim) if fits else logits
