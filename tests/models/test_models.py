"""The networks of `tfkd.models`, their sizes held against the published table."""

from __future__ import annotations

import functools
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import tfkd.models

# Parameters for K = 10, 100, 200, and millions of multiply-accumulates of one 3x32x32 image at
# K = 100, counted on the released networks (Yuan et al., CVPR 2020). The work of the plain CNN is
# worked out by hand: 9·(3·32·32² + 32·64·16² + 64·128·8²) + 2048·128 + 128·100.
PAPER = {
    "plain_cnn": (357_514, 369_124, 382_024, 10.60),
    "resnet18": (11_173_962, 11_220_132, 11_271_432, 555.47),
    "resnet50": (23_520_842, 23_705_252, 23_910_152, 1298.01),
    "resnet101": (42_512_970, 42_697_380, 42_902_280, 2510.17),
    "mobilenet_v2": (2_254_090, 2_369_380, 2_497_480, 64.95),
    "shufflenet_v2": (1_268_646, 1_360_896, 1_463_396, 43.68),
    "densenet121": (6_956_298, 7_048_548, 7_151_048, 888.44),
    "googlenet": (6_166_250, 6_258_500, 6_361_000, 1521.85),
    "resnext29_8x64d": (34_426_698, 34_518_948, 34_621_448, 5387.36),
}
SMALL = ("small_cnn", "wide_cnn", "wide_plain_cnn")
EVERY = (*PAPER, *SMALL)
# Those that a slow CPU runs in a moment.
LIGHT = (*SMALL, "plain_cnn", "shufflenet_v2", "mobilenet_v2")


def build(name: str, *, num_classes: int, in_channels: int = 3) -> nn.Module:
    function: Callable[..., nn.Module] = getattr(tfkd.models, name)
    return function(num_classes=num_classes, in_channels=in_channels)


@functools.cache
def outline(name: str, *, num_classes: int, in_channels: int = 3) -> nn.Module:
    """Return the network without numbers in it: shapes alone, which takes no time."""
    with torch.device("meta"):
        return build(name, num_classes=num_classes, in_channels=in_channels)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def multiplications(network: nn.Module, images: torch.Tensor) -> float:
    with FlopCounterMode(display=False) as counter:
        network.eval()(images)
    # The counter takes a multiply-accumulate for two operations.
    return counter.get_total_flops() / 2


@pytest.mark.parametrize("name", PAPER)
def test_parameters_are_those_of_the_released_networks(name: str) -> None:
    counted = tuple(count(outline(name, num_classes=k)) for k in (10, 100, 200))
    assert counted == PAPER[name][:3]


@pytest.mark.parametrize("name", PAPER)
def test_multiply_accumulates_are_those_of_the_released_networks(name: str) -> None:
    network = outline(name, num_classes=100)
    counted = multiplications(network, torch.empty(1, 3, 32, 32, device="meta"))
    assert f"{counted / 1e6:.2f}" == f"{PAPER[name][3]:.2f}"


def test_small_cnn_has_the_size_worked_out_by_hand() -> None:
    convolutions = 9 * (1 * 16 + 16 * 32) + 2 * (16 + 32)
    assert count(outline("small_cnn", num_classes=10, in_channels=1)) == (
        convolutions + (32 * 4 + 1) * 64 + (64 + 1) * 10
    )


@pytest.mark.parametrize("size", [8, 28])
def test_wide_cnn_is_five_to_ten_times_small_cnn(size: int) -> None:
    small, wide = (outline(name, num_classes=10, in_channels=1) for name in SMALL[:2])
    images = torch.empty(1, 1, size, size, device="meta")
    assert 5 < count(wide) / count(small) < 10
    assert 5 < multiplications(wide, images) / multiplications(small, images) < 10
    for ours, larger in zip(small.parameters(), wide.parameters(), strict=True):
        if ours.shape[0] != 10:  # the biases of the last layer: one for each class
            assert larger.numel() > ours.numel()


@pytest.mark.parametrize("in_channels, size", [(1, 28), (3, 64)])
@pytest.mark.parametrize("name", EVERY)
def test_logits_at_every_image_size(name: str, in_channels: int, size: int) -> None:
    network = outline(name, num_classes=10, in_channels=in_channels).eval()
    images = torch.empty(2, in_channels, size, size, device="meta")
    assert network(images).shape == (2, 10)


@pytest.mark.parametrize("name", LIGHT)
def test_a_step_reaches_every_parameter(name: str) -> None:
    torch.manual_seed(0)
    size = 8 if name in SMALL else 32
    network = build(name, num_classes=4)
    F.cross_entropy(network(torch.randn(3, 3, size, size)), torch.tensor([0, 1, 3])).backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters() if p.dim() > 1)


@pytest.mark.parametrize("name", LIGHT)
def test_channels_last_gives_the_same_logits(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, num_classes=4).double().eval()
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    expected = network(images)
    network = network.to(memory_format=torch.channels_last)
    torch.testing.assert_close(
        network(images.contiguous(memory_format=torch.channels_last)), expected
    )


def test_compiles_as_one_graph() -> None:
    network = build("plain_cnn", num_classes=4).eval()
    images = torch.randn(2, 3, 28, 28)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), network(images))


@pytest.mark.parametrize("name, size", [("plain_cnn", 28), ("plain_cnn", 72), ("wide_cnn", 28)])
def test_pools_as_adaptive_average_pooling_does(name: str, size: int) -> None:
    torch.manual_seed(0)
    network = build(name, num_classes=4).double().eval()
    images = torch.randn(2, 3, size, size + 8, dtype=torch.float64)
    grid = 4 if name == "plain_cnn" else 2
    maps = F.adaptive_avg_pool2d(network.features(images), grid)
    torch.testing.assert_close(network(images), network.classifier(maps.flatten(1)))


def test_shufflenet_shuffles_its_two_branches() -> None:
    torch.manual_seed(0)
    network = build("shufflenet_v2", num_classes=4).eval()
    unit = next(m for m in network.modules() if type(m).__name__ == "DownsamplingUnit")
    maps = torch.randn(2, 24, 8, 8)
    both = torch.cat([unit.shortcut(maps), unit.branch(maps)], dim=1)
    torch.testing.assert_close(unit(maps), nn.ChannelShuffle(2)(both))


def test_densenet_has_no_relu_in_its_transitions() -> None:
    torch.manual_seed(0)
    network = build("densenet121", num_classes=4).eval()
    transition = network.features.transition1
    maps = torch.randn(2, 256, 4, 4)
    expected = F.avg_pool2d(transition.conv(transition.norm(maps)), 2)
    torch.testing.assert_close(transition(maps), expected)


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "shufflenet_v2"])
def test_weights_are_drawn_as_torch_draws_them(name: str) -> None:
    torch.manual_seed(0)
    network = build(name, num_classes=100)
    # nn.Conv2d and nn.Linear draw uniformly from ±1/sqrt(fan-in).
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            bound = 1 / math.sqrt(module.weight[0].numel())
            assert 0.9 * bound < module.weight.abs().max() <= bound


@pytest.mark.parametrize("name", ["small_cnn", "resnet18"])
def test_the_seed_decides_the_weights(name: str) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        network = build(name, num_classes=4)
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


@pytest.mark.parametrize("name", EVERY)
def test_refuses_impossible_sizes(name: str) -> None:
    function = getattr(tfkd.models, name)
    with pytest.raises(ValueError, match=r"Expected `num_classes` of at least 2, got 1\."):
        function(num_classes=1)
    with pytest.raises(ValueError, match=r"Expected `in_channels` of at least 1, got 0\."):
        function(num_classes=10, in_channels=0)
    with pytest.raises(TypeError, match="Expected `in_channels` to be an int, got float"):
        function(num_classes=10, in_channels=3.0)


def test_model_names_are_the_functions() -> None:
    assert tfkd.models.model_names() == sorted(EVERY)
    assert set(tfkd.models.__all__) == {*EVERY, "create_model", "model_names"}


@pytest.mark.parametrize("name", ["googlenet", "resnet18", "small_cnn"])
def test_create_model_builds_the_network_of_that_name(name: str) -> None:
    with torch.device("meta"):
        network = tfkd.models.create_model(name, num_classes=10, in_channels=1)
    expected = outline(name, num_classes=10, in_channels=1)
    assert [p.shape for p in network.parameters()] == [p.shape for p in expected.parameters()]


def test_create_model_reaches_timm() -> None:
    timm = pytest.importorskip("timm")
    images = torch.empty(2, 1, 64, 64, device="meta")
    with torch.device("meta"):
        for name in ("resnet10t", "timm/resnet10t", "timm/resnet18", "resnet10t.c3_in1k"):
            network = tfkd.models.create_model(name, num_classes=5, in_channels=1)
            expected = timm.create_model(name.removeprefix("timm/"), num_classes=5, in_chans=1)
            assert count(network) == count(expected)
            assert network(images).shape == (2, 5)
        ours = tfkd.models.create_model("resnet18", num_classes=5, in_channels=1)
        timms = tfkd.models.create_model("timm/resnet18", num_classes=5, in_channels=1)
    # A 7x7 stem there, a 3x3 one here, both of 64 maps.
    assert count(timms) - count(ours) == 64 * (49 - 9)


@pytest.mark.parametrize(
    "name, close",
    [("mobilenetv2", "mobilenet_v2"), ("plain_cn", "plain_cnn"), ("timm/resnet81", "resnet18")],
)
def test_create_model_suggests_names_for_an_unknown_one(name: str, close: str) -> None:
    pytest.importorskip("timm")
    with pytest.raises(ValueError, match=rf"Expected `model` .* got '{name}'\. .*{close}"):
        tfkd.models.create_model(name, num_classes=10)


def test_create_model_has_no_weights_for_its_own_networks() -> None:
    with pytest.raises(ValueError, match=r"Expected `pretrained` to be False for 'small_cnn'"):
        tfkd.models.create_model("small_cnn", num_classes=10, pretrained=True)


def test_create_model_checks_before_it_builds() -> None:
    with pytest.raises(TypeError, match="Expected `model` to be a str, got int"):
        tfkd.models.create_model(18, num_classes=10)
    with pytest.raises(ValueError, match=r"Expected `num_classes` of at least 2, got 1\."):
        tfkd.models.create_model("timm/resnet18", num_classes=1)


def test_a_missing_package_is_answered_with_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModuleNotFoundError, match=r'package timm: pip install .*\[cli\]"'):
        tfkd.models.create_model("resnet34", num_classes=10)
    monkeypatch.setitem(sys.modules, "torchvision.models.resnet", None)
    with pytest.raises(ModuleNotFoundError, match=r'torchvision: pip install .*\[cli\]"'):
        tfkd.models.resnet18(num_classes=10)


def test_the_import_brings_torch_alone() -> None:
    code = (
        "import sys, tfkd; assert 'tfkd.models' not in sys.modules; "
        "import tfkd.models; tfkd.models.small_cnn(num_classes=2); "
        "assert not {'timm', 'torchvision'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pretrained_weights_of_timm_execute_nothing(tmp_path, monkeypatch):
    timm = pytest.importorskip("timm")

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"x": Evil()}, tmp_path / "weights.bin")

    def unpickling(*_, **__):  # as timm does that trusts what it downloads
        torch.load(tmp_path / "weights.bin", weights_only=False)

    monkeypatch.setattr(timm, "create_model", unpickling)
    monkeypatch.setattr("tfkd.models.create.find_pretrained", lambda name: {})
    with pytest.raises(pickle.UnpicklingError, match=r"[Ww]eights.only"):
        tfkd.models.create_model("timm/resnet18", num_classes=2, pretrained=True)
    assert not (tmp_path / "executed").exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ
