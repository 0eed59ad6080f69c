"""What the parts of a linear head are called where a loss is given them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec

from torch import Tensor

_Given = ParamSpec("_Given")

NAMES = {"weight": "linear_weight", "bias": "linear_bias"}
"""Of a layer's attributes, which arguments they are."""


def head_by_name(loss: Callable[_Given, Tensor]) -> Callable[_Given, Tensor]:
    """Return a loss that says what a head's parts are called to who calls them otherwise.

    Args:
        loss: that takes a head.
    """
    known = inspect.signature(loss).parameters.values()
    misnamed = NAMES.keys() - {parameter.name for parameter in known}
    most = sum(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in known)

    @functools.wraps(loss)
    def named(*args: _Given.args, **kwargs: _Given.kwargs) -> Tensor:
        for name in misnamed & kwargs.keys():
            raise TypeError(
                f"Expected the {name} of the last layer as `{NAMES[name]}=`, got `{name}=`."
            )
        if len(args) > most:
            raise TypeError(
                "Expected what follows the first arguments by name, as `linear_bias=head.bias`, "
                f"got {len(args) - most} more by place."
            )
        return loss(*args, **kwargs)

    return named
