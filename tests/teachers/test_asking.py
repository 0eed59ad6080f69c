"""Networks that take inputs by name, and wrap their logits in an answer of their own."""

from __future__ import annotations

import collections
import copy
import dataclasses
import functools

import pytest
import torch
from torch import Tensor, nn

import tfkd


@dataclasses.dataclass
class Output:
    """As an answer of Hugging Face is."""

    logits: Tensor
    loss: Tensor | None = None


ANSWERS = {
    "a tensor": lambda logits: logits,
    "logits": Output,
    "a mapping": lambda logits: {"loss": None, "logits": logits},
    "an ordered mapping": lambda logits: collections.OrderedDict(logits=logits),
}


class Network(nn.Module):
    def __init__(self, wrap) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.layer, self.wrap = nn.Linear(2, 3), wrap

    def forward(self, pixels, mask=None):
        logits = self.layer(pixels)
        return self.wrap(logits if mask is None else logits * mask)


TEACHERS = {
    "network": tfkd.NetworkTeacher,
    "average": tfkd.MeanTeacher,
    "student": tfkd.StudentTeacher,
    "student, norms kept": functools.partial(tfkd.StudentTeacher, moving_norms=False),
}


@pytest.mark.parametrize("teacher", TEACHERS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_logits_are_found_and_inputs_given_by_name(answer, teacher):
    network = Network(ANSWERS[answer])
    criterion = tfkd.DistillationLoss(TEACHERS[teacher](network), alpha=1.0).eval()
    pixels, mask = torch.randn(4, 2), torch.tensor([[1.0], [0.5], [0.0], [2.0]])
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    said = network.layer(pixels).detach()
    for inputs, expected in (
        (pixels, said),
        ({"pixels": pixels}, said),
        (collections.UserDict(mask=mask, pixels=pixels), said * mask),
    ):
        divergence = nn.functional.kl_div(
            logits.log_softmax(1), expected.log_softmax(1), reduction="batchmean", log_target=True
        )
        torch.testing.assert_close(criterion(logits, labels, inputs), divergence)


def test_a_gradient_is_had_beside_an_answer_that_is_wrapped():
    student = nn.Linear(2, 3)
    pixels, labels = torch.randn(4, 2), torch.tensor([0, 1, 2, 0])
    losses = []
    for wrap in (Output, lambda logits: logits):
        student.zero_grad()
        criterion = tfkd.knowledge_distillation(Network(wrap), alpha=0.5)
        criterion(student(pixels), labels, {"pixels": pixels}).backward()
        losses.append(student.weight.grad.clone())
    assert torch.equal(*losses)
    assert losses[0].abs().sum() > 0.0


@pytest.mark.parametrize("wrong", [lambda z: (z,), lambda z: {"scores": z}, lambda z: Output(None)])
@pytest.mark.parametrize("teacher", TEACHERS)
def test_another_answer_is_refused_in_a_sentence(wrong, teacher):
    criterion = tfkd.DistillationLoss(TEACHERS[teacher](Network(wrong)), alpha=1.0).eval()
    with pytest.raises(TypeError, match="to return a tensor, or an answer with `logits`, got"):
        criterion(torch.randn(4, 3), torch.tensor([0, 1, 2, 0]), torch.randn(4, 2))


def test_outputs_that_are_no_logits_are_told_what_to_take():
    with pytest.raises(TypeError, match=r"`student_logits` to be a tensor, got Output.*`.logits`"):
        tfkd.label_smoothing()(Output(torch.randn(4, 3)), torch.tensor([0, 1, 2, 0]))


def test_they_are_recorded_on_disk_too(tmp_path):
    network, pixels = Network(Output), torch.randn(4, 2)
    batches = [({"pixels": pixels}, torch.arange(4), 0)]
    teacher = tfkd.CachedTeacher.record(tmp_path / "cache", network, batches)
    batch = tfkd.Batch(torch.zeros(4, 3), torch.zeros(4).long(), indices=torch.arange(4))
    assert torch.equal(teacher(batch), network.layer(pixels))


def old_weight_norm():
    """Whose weight is a tensor that was computed, of which torch makes no deep copy."""
    with pytest.warns(FutureWarning, match="weight_norm"):
        return nn.utils.weight_norm(nn.Linear(2, 3))


def test_a_network_with_weight_norm_is_copied_and_follows_its_own_weights():
    network, pixels = old_weight_norm(), torch.randn(4, 2)
    said = network(pixels)  # from now on `network.weight` has a gradient function
    criterion = tfkd.knowledge_distillation(network, alpha=1.0)
    average = tfkd.MeanTeacher(network)
    with torch.no_grad():
        network.weight_g.mul_(3.0)
    batch = tfkd.Batch(torch.zeros(4, 3), torch.zeros(4).long(), pixels)
    for _ in range(2):
        criterion = copy.deepcopy(criterion)
        torch.testing.assert_close(criterion.teacher(batch), said.detach())
    torch.testing.assert_close(average(batch), said.detach())
    for _ in range(3):
        average.step_ended(network)
    torch.testing.assert_close(average.network.weight_g[0, 0], (network.weight_g / 3)[0, 0] * 2.5)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_scripted_a_traced_and_an_exported_network_teach():
    pixels, labels = torch.randn(4, 2), torch.zeros(4).long()
    network = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5))
    expected = network[0](pixels).detach()
    batch = tfkd.Batch(torch.zeros(4, 3), labels, pixels)
    scripted = torch.jit.script(network)
    networks = [scripted, torch.jit.trace(network.eval(), pixels)]
    networks.append(torch.export.export(network, (pixels,)).module())
    for own in networks:
        teacher = tfkd.NetworkTeacher(own)
        torch.testing.assert_close(teacher(batch), expected)
        assert not any(parameter.requires_grad for parameter in teacher.model.parameters())
    assert all(parameter.requires_grad for parameter in scripted.parameters())


def test_a_network_that_cannot_be_copied_is_frozen_itself():
    class Uncopied(nn.Linear):
        def __deepcopy__(self, memo):
            raise RuntimeError("holds a connection")

    network, pixels = nn.Sequential(Uncopied(2, 3), nn.Dropout(0.5)), torch.randn(4, 2)
    teacher = tfkd.NetworkTeacher(network)
    batch = tfkd.Batch(torch.zeros(4, 3), torch.zeros(4).long(), pixels)
    assert teacher.model is network
    assert torch.equal(teacher(batch), network[0](pixels))
    assert not network[0].weight.requires_grad


def test_what_is_no_module_is_told_what_to_write():
    with pytest.raises(TypeError, match=r"to be a torch.nn.Module, got function.*`forward`"):
        tfkd.knowledge_distillation(lambda inputs: inputs)
