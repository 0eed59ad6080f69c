"""A network by its name: this package's, or any of timm's."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn

from tfkd._checks import did_you_mean
from tfkd.models._extra import needs_extra
from tfkd.models._sizes import check_sizes
from tfkd.models._without_memory import counting_without_memory
from tfkd.models.densenet import densenet121
from tfkd.models.inception import googlenet
from tfkd.models.mobilenet import mobilenet_v2
from tfkd.models.plain import plain_cnn, wide_plain_cnn
from tfkd.models.pretrained import downloading, find_pretrained
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
    name: str,
    *,
    num_classes: int,
    in_channels: int = 3,
    pretrained: bool = False,
    image_size: int | None = None,
    options: Mapping[str, object] | None = None,
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
        image_size: height and width of the images, for those of timm's networks that are built for
            one size; None: their own.
        options: of the network itself, as `drop_path_rate` of many of timm's.

    Returns:
        A network from images (N, in_channels, H, W) to logits (N, K).

    Raises:
        TypeError: if a size is not an int, or `name` not a str.
        ValueError: if nobody knows the name, if a size is too small, if weights are asked of a
            network of this package, which has none, or if it cannot be built for `image_size`; for
            an option that the network does not take.
        ConnectionError: if timm's weights cannot be downloaded.
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
    named = dict(options or {})
    sizes = {"num_classes": num_classes, "in_channels": in_channels}
    _check_options(name, named)
    if name in _FUNCTIONS:
        if pretrained:
            raise ValueError(
                f"Expected `pretrained` to be False for {name!r}: there are no weights for it. "
                f"timm's networks have some, as in {TIMM + 'resnet18'!r}."
            )
        return _called(name, _FUNCTIONS[name], named, sizes)

    if is_reference(name):
        if pretrained:
            raise ValueError(f"Expected `pretrained` to be False for {name}, a model of your own.")
        return call_own(name, nn.Module, **sizes, **named)

    check_model_name(name)
    import timm

    timms, size = name.removeprefix(TIMM), _size_of(name, image_size)
    sizes = {"num_classes": num_classes, "in_chans": in_channels, **size}
    if not pretrained:
        with _saying_the_size(name, {} if named else size), counting_without_memory():
            return _called(name, partial(timm.create_model, timms), named, sizes)
    overlay = find_pretrained(timms)
    with _weights_only(), downloading(timms):
        create = partial(timm.create_model, timms, pretrained=True, pretrained_cfg_overlay=overlay)
        return _called(name, create, named, sizes)


_NOT_OPTIONS = {
    "cache_dir",
    "checkpoint_path",
    "device",
    "dtype",
    "features_only",
    "img_size",
    "in_channels",
    "in_chans",
    "num_classes",
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "pretrained_model_args",
    "scriptable",
}
"""What is said elsewhere, or would fetch or make something else than a classifier."""


def _check_options(name: str, options: Mapping[str, object]) -> None:
    for option in options:
        if option in _NOT_OPTIONS or not option.isidentifier():
            raise ValueError(
                f"Expected no {option[:80]!r} in `model_option`: no option of {name} itself."
            )


def _called(
    name: str,
    create: Callable[..., nn.Module],
    options: dict[str, object],
    sizes: dict[str, int],
) -> nn.Module:
    """Build a network; `ValueError` naming its options, if it does not take them."""
    if not options:
        return create(**sizes)
    try:
        return create(**sizes, **options)
    except (TypeError, ValueError, AssertionError, KeyError, AttributeError, RuntimeError) as error:
        said = ", ".join(f"{option}={value}" for option, value in options.items())
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if unknown is not None:
            built = () if name in _FUNCTIONS else (type(create(**sizes)).__init__,)
            known = [known for init in built for known in inspect.signature(init).parameters]
            raise ValueError(
                f"Expected options of {name} in `model_option`, got {unknown[1]}, which it does "
                f"not take.{did_you_mean(unknown[1], known)}"
            ) from error
        raise ValueError(
            f"Expected options of {name} in `model_option`, got {said}: "
            f"{str(error).strip().rstrip('.')}."
        ) from error


def check_pretrained(name: str) -> None:
    """Check that timm's weights of a network are there, or can be had; nothing is downloaded.

    Raises:
        ValueError: if there are none.
        ConnectionError: if they cannot be had.
    """
    if name in _FUNCTIONS or is_reference(name):
        create_model(name, num_classes=2, pretrained=True)
    check_model_name(name)
    find_pretrained(name.removeprefix(TIMM))


def _size_of(name: str, image_size: int | None) -> dict[str, Any]:
    """What timm is told of the size of images, for a network that is built for one."""
    import timm

    configuration = timm.models.get_pretrained_cfg(name.removeprefix(TIMM))
    fixed = configuration is not None and configuration.fixed_input_size
    return {"img_size": image_size} if fixed and image_size is not None else {}


@contextmanager
def _saying_the_size(name: str, size: dict[str, Any]) -> Iterator[None]:
    """Name a network, and the size that it cannot be built for."""
    try:
        yield
    except (RuntimeError, ValueError, AssertionError, ZeroDivisionError) as error:
        if not size:
            raise
        raise ValueError(
            f"Expected an `image_size` that {name} can be built for, got {size['img_size']}: "
            f"{error}"
        ) from error


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
