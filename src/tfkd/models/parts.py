"""The parts of a network: its classifier, and its stages from the stem to the head."""

from __future__ import annotations

from typing import Any

from torch import nn


def classifier_names(network: nn.Module) -> tuple[str, ...]:
    """Return the names of the modules that turn features into logits.

    Of timm's networks they are those that timm names; of others, the last layer, if it is linear.

    Args:
        network: of this package, of timm, or one's own.

    Returns:
        Their names within the network; none if they are not known.

    Example:
        >>> from tfkd.models import create_model
        >>> classifier_names(create_model("small_cnn", num_classes=10))
        ('classifier.2',)
    """
    said = (getattr(network, "pretrained_cfg", None) or {}).get("classifier")
    names = (said,) if isinstance(said, str) else tuple(said or ())
    modules = dict(network.named_modules())
    if names and all(any(True for _ in modules[n].parameters()) for n in names if n in modules):
        return tuple(name for name in names if name in modules)
    with_parameters = [
        (name, module)
        for name, module in modules.items()
        if any(True for _ in module.parameters(recurse=False))
    ]
    if with_parameters and isinstance(with_parameters[-1][1], (nn.Linear, nn.Conv2d)):
        return (with_parameters[-1][0],)
    return ()


def is_within(name: str, modules: tuple[str, ...]) -> bool:
    """Return whether a parameter's or a module's name is that of one of some modules, or in it."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def stages(network: nn.Module) -> dict[str, int] | None:
    """Return for every parameter the stage that it is of, from 0, the stem.

    Args:
        network: of timm, whose `group_matcher` says its stages, or its blocks if it has none.

    Returns:
        By name; the head is of the last. None if the network does not say its stages.
    """
    matcher = getattr(network, "group_matcher", None)
    if matcher is None:
        return None
    from timm.models import group_parameters

    untyped: Any = group_parameters
    return dict(untyped(network, matcher(coarse=True), reverse=True))


def is_norm(module: nn.Module) -> bool:
    """Return whether a module keeps averages of what it sees in training."""
    return isinstance(module, nn.modules.batchnorm._NormBase) and module.track_running_stats
