"""A network by its name: this package's, or any of timm's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from torch import nn

from tfkd.models._extra import needs_extra
from tfkd.models._sizes import check_sizes
from tfkd.models.densenet import densenet121
from tfkd.models.inception import googlenet
from tfkd.models.mobilenet import mobilenet_v2
from tfkd.models.plain import plain_cnn, wide_plain_cnn
from tfkd.models.resnet import resnet18, resnet50, resnet101
from tfkd.models.resnext import resnext29_8x64d
from tfkd.models.shufflenet import shufflenet_v2
from tfkd.models.small import small_cnn, wide_cnn
from tfkd.references import from_reference, is_reference

_FUNCTIONS: dict[str, Callable[..., nn.Module]] = {
    function.__name__: function
    for function in (
        densenet121,
        googlenet,
        mobilenet_v2,
        plain_cnn,
        resnet101,
        resnet18,
        resnet50,
        resnext29_8x64d,
        shufflenet_v2,
        small_cnn,
        wide_cnn,
        wide_plain_cnn,
    )
}
_TIMM = "timm/"
_FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def model_names() -> list[str]:
    """Return the names of this package's networks, sorted.

    Example:
        >>> import tfkd.models
        >>> tfkd.models.model_names()[:3]
        ['densenet121', 'googlenet', 'mobilenet_v2']
    """
    return sorted(_FUNCTIONS)


def create_model(
    name: str, *, num_classes: int, in_channels: int = 3, pretrained: bool = False
) -> nn.Module:
    """Build the network called `name`.

    A name of `model_names()` gives this package's network, for small images. Any other goes to
    `timm.create_model`. Where timm has another network of the same name, "timm/resnet18" is
    timm's and "resnet18" is this package's.

    Args:
        name: a name of `model_names()` or of `timm.list_models()`, the latter also with a
            "timm/" before it and with a weights tag ("resnet50.a1_in1k") behind; or
            module:function, of your own, which is called with `num_classes` and `in_channels`.
        num_classes: number of classes K, at least 2.
        in_channels: channels of the images, at least 1.
        pretrained: whether to take timm's weights, which timm may have to download.

    Returns:
        A network from images (N, in_channels, H, W) to logits (N, K).

    Raises:
        TypeError: if a size is not an int, or `name` not a str.
        ValueError: if nobody knows the name, if a size is too small, or if weights are asked of
            a network of this package, which has none.
        ModuleNotFoundError: if the name is not this package's and timm is not installed.

    Example:
        >>> import tfkd.models
        >>> network = tfkd.models.create_model("small_cnn", num_classes=10, in_channels=1)
        >>> type(network).__name__
        'SmallCNN'
    """
    if not isinstance(name, str):
        raise TypeError(f"Expected `model` to be a str, got {type(name).__name__}.")
    check_sizes(num_classes=num_classes, in_channels=in_channels)
    if name in _FUNCTIONS:
        if pretrained:
            raise ValueError(
                f"Expected `pretrained` to be False for {name!r}: there are no weights for it. "
                f"timm's networks have some, as in {_TIMM + 'resnet18'!r}."
            )
        return _FUNCTIONS[name](num_classes=num_classes, in_channels=in_channels)

    if is_reference(name):
        if pretrained:
            raise ValueError(f"Expected `pretrained` to be False for {name}, a model of your own.")
        own = from_reference(name)(num_classes=num_classes, in_channels=in_channels)
        if not isinstance(own, nn.Module):
            raise ValueError(
                f"Expected {name} to return a torch.nn.Module, got {type(own).__name__}."
            )
        return own

    with needs_extra(f"The model {name!r}, none of {', '.join(model_names())},"):
        import timm
    timm_name = name.removeprefix(_TIMM)
    if not timm.is_model(timm_name):
        known = [*model_names(), *timm.list_models()]
        close = get_close_matches(timm_name, known, n=3)
        hint = f"Did you mean {', '.join(close)}?" if close else "See `tfkd.models.model_names()`."
        raise ValueError(f"Expected `model` to be the name of a known model, got {name!r}. {hint}")
    with _weights_only():
        network: nn.Module = timm.create_model(
            timm_name, pretrained=pretrained, num_classes=num_classes, in_chans=in_channels
        )
    return network


@contextmanager
def _weights_only() -> Iterator[None]:
    """Have `torch.load` execute nothing: some versions of timm ask it to for what they download."""
    before = os.environ.get(_FORCE)
    os.environ[_FORCE] = "1"
    try:
        yield
    finally:
        os.environ.pop(_FORCE)
        if before is not None:
            os.environ[_FORCE] = before
