"""The command that lists networks."""

from __future__ import annotations


def list_models(pattern: str | None = None) -> int:
    """List networks by name: this package's, and timm's that match a pattern.

    A name is what --student and --teacher take. Parameters are for 1000 classes.

    Args:
        pattern: a part of the name, or with * for any letters, as 'resnet*'. Default: this
            package's networks alone.
    """
    from tfkd.models.create import model_names
    from tfkd.models.listing import list_known_models

    found = False
    for model in list_known_models(pattern or "*"):
        if pattern is None and model.name not in model_names():
            break
        if not found:
            print(f"{'name':<44}{'parameters':>11}  {'pixels':<8}weights")
        found = True
        tags = f"{len(model.weights)} tags" if len(model.weights) > 1 else "".join(model.weights)
        print(f"{model.name:<44}{model.parameters / 1e6:>9.2f} M  {model.pixels:<8}{tags}".rstrip())
    if pattern is None:
        print("And all of timm: tfkd models PATTERN, as in tfkd models 'convnext*'.")
    elif not found:
        raise ValueError(f"Expected a part of a model's name, got {pattern!r}, which none has.")
    return 0
