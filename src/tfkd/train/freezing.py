"""What of a network is not trained."""

from __future__ import annotations

from torch import nn

from tfkd.models.parts import classifier_names, is_norm, is_within, stages


def freeze(network: nn.Module, what: str, *, name: str) -> tuple[str, ...]:
    """Stop the training of a part of a network.

    Args:
        network: that is to be trained.
        what: `none`; `backbone`, all but the classifier; or a number of stages, from the stem on.
        name: of the network.

    Returns:
        Names of the norms whose averages are not to move: those within what is frozen.

    Raises:
        ValueError: if nothing would be left to train, or the network does not say its parts.
    """
    if what == "none":
        return ()
    frozen = _frozen(network, what, name)
    for parameter_name, parameter in network.named_parameters():
        if parameter_name in frozen:
            parameter.requires_grad_(False)
    norms, still = [], False
    for module_name, module in network.named_modules():
        own = [f"{module_name}.{n}" for n, _ in module.named_parameters(recurse=False)]
        if own:
            still = all(parameter in frozen for parameter in own)
        if is_norm(module) and still:  # one without parameters is as what comes before it
            norms.append(module_name)
    return tuple(norms)


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """Return how many parameters a network has, and how many of them are trained."""
    sizes = [(own.numel(), own.requires_grad) for own in network.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)


def _frozen(network: nn.Module, what: str, name: str) -> set[str]:
    parameters = {parameter_name for parameter_name, _ in network.named_parameters()}
    if what == "backbone":
        heads = classifier_names(network)
        found = {own for own in parameters if not is_within(own, heads)}
        if not heads:
            raise ValueError(
                f"Expected a network whose classifier is known for `freeze` backbone, got {name}: "
                "its last layer is not linear."
            )
        return found
    by_stage = stages(network)
    if by_stage is None:
        raise ValueError(
            f"Expected a network of timm, which says its stages, for `freeze` {what}, got {name}. "
            "`freeze` backbone leaves its classifier alone to be trained."
        )
    last = max(by_stage.values())
    if int(what) > last:
        raise ValueError(
            f"Expected `freeze` of at most {last} for {name}, which has so many stages before its "
            f"head, got {what}."
        )
    return {own for own in parameters if by_stage.get(own, last) < int(what)}
