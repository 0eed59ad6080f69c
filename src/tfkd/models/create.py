"""A network by its name: this package's, or any of timm's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import nn

from tfkd._checks import did_you_mean
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
from tfkd.references import call_own, is_reference

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
TIMM = "timm/"
"""Before a name: timm's network, where this package has another of that name."""

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
            module:function, of your own, which is called with `num_classes` and `in_channels` and
            says that it returns an `nn.Module`.
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
                f"timm's networks have some, as in {TIMM + 'resnet18'!r}."
            )
        return _FUNCTIONS[name](num_classes=num_classes, in_channels=in_channels)

    if is_reference(name):
        if pretrained:
            raise ValueError(f"Expected `pretrained` to be False for {name}, a model of your own.")
        return call_own(name, nn.Module, num_classes=num_classes, in_channels=in_channels)

    check_model_name(name)
    import timm

    with _weights_only():
        network: nn.Module = timm.create_model(
            name.removeprefix(TIMM),
            pretrained=pretrained,
            num_classes=num_classes,
            in_chans=in_channels,
        )
    return network


def check_model_name(name: str, *, argument: str = "model") -> None:
    """Check that somebody knows a network of this name; nothing is built.

    Args:
        name: as `create_model` takes it.
        argument: what the error calls it.

    Raises:
        ValueError: if nobody does.
        ModuleNotFoundError: if the name is not this package's and timm is not installed.
    """
    if name in _FUNCTIONS or is_reference(name):
        return
    with needs_extra(f"The model {name!r}, none of {', '.join(model_names())},"):
        import timm
    timm_name = name.removeprefix(TIMM)
    architecture, dot, _ = timm_name.partition(".")
    tagged = timm.list_models(f"{architecture}.*", include_tags=True) if dot else [timm_name]
    if timm.is_model(timm_name) and timm_name in tagged:
        return
    prefix = TIMM if name.startswith(TIMM) else ""
    timms = tagged if timm.is_model(architecture) and dot else timm.list_models()
    hint = did_you_mean(name, dict.fromkeys([*model_names(), *(f"{prefix}{own}" for own in timms)]))
    raise ValueError(
        f"Expected `{argument}` to be the name of a known model, got {name!r}."
        f"{hint or ' `tfkd models` lists them.'}"
    )


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
