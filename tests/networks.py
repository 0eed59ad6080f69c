"""A network without batch norm, which would see each batch, or each process's samples, alone.

Any name that is not this package's is timm's, and so may be registered there: what is named in
settings needs no patch. Programs of tests run this file by its path.
"""

from timm.models import register_model
from torch import nn


@register_model
def flat_mlp(*, num_classes: int, in_chans: int, **_: object) -> nn.Module:
    """For digits of 8x8 pixels."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(in_chans * 64, 32), nn.ReLU(), nn.Linear(32, num_classes)
    )
