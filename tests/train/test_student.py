"""The layout that the processes of a run need leaves a network the function that it was."""

import copy

import pytest
import torch

from tfkd.models import create_model
from tfkd.train.student import laid_out

# timm's mobilenet has batch norms with the activation within them.
NAMES = ("small_cnn", "plain_cnn", "resnet18", "mobilenet_v2", "timm/mobilenetv3_small_050")


def batch_norms(network):
    kind = torch.nn.modules.batchnorm._BatchNorm
    return [module for module in network.modules() if isinstance(module, kind)]


def synchronised(network):
    return [isinstance(module, torch.nn.SyncBatchNorm) for module in batch_norms(network)]


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_on_several_gpus_batch_norm_is_synchronised_and_nothing_else_changes(name, sharded):
    torch.manual_seed(0)
    before = create_model(name, num_classes=10, in_channels=1)
    network = copy.deepcopy(before)
    # Only the layout for them: nothing is moved there.
    after = laid_out(network, device=torch.device("cuda", 1), processes=2, sharded=sharded)
    assert all(synchronised(after))
    assert len(batch_norms(after)) == len(batch_norms(before)) > 0
    states = before.state_dict(), after.state_dict()
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    images = torch.randn(4, 1, 32, 32)
    for network in (before, after):
        network.eval()
    with torch.no_grad():
        torch.testing.assert_close(after(images), before(images))


@pytest.mark.parametrize(("device", "processes"), [("cpu", 1), ("cpu", 2), ("cuda", 1)])
def test_elsewhere_batch_norm_stays(device, processes):
    network = create_model("small_cnn", num_classes=10, in_channels=1)
    network = laid_out(network, device=torch.device(device), processes=processes, sharded=False)
    assert not any(synchronised(network))


def test_images_have_their_channels_last_but_under_fsdp():
    last = torch.channels_last
    for sharded in (False, True):
        network = create_model("resnet18", num_classes=10, in_channels=3)
        network = laid_out(network, device=torch.device("cpu"), processes=2, sharded=sharded)
        four = [w for w in network.parameters() if w.dim() == 4 and w.shape[-1] > 1]
        assert all(w.is_contiguous(memory_format=last) != sharded for w in four)
        assert all(w.is_contiguous() for w in network.parameters()) == sharded
