"""Networks: the paper's, for small images, and every network of timm by its name."""

from tfkd.models.create import create_model, model_names
from tfkd.models.densenet import densenet121
from tfkd.models.inception import googlenet
from tfkd.models.mobilenet import mobilenet_v2
from tfkd.models.plain import plain_cnn, wide_plain_cnn
from tfkd.models.resnet import resnet18, resnet50, resnet101
from tfkd.models.resnext import resnext29_8x64d
from tfkd.models.shufflenet import shufflenet_v2
from tfkd.models.small import small_cnn, wide_cnn

__all__ = [
    "create_model",
    "densenet121",
    "googlenet",
    "mobilenet_v2",
    "model_names",
    "plain_cnn",
    "resnet18",
    "resnet50",
    "resnet101",
    "resnext29_8x64d",
    "shufflenet_v2",
    "small_cnn",
    "wide_cnn",
    "wide_plain_cnn",
]
