"""A method of several labels is that of one label, at the two classes present and absent."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn

import tfkd
from tfkd.method_table import METHODS
from tfkd.references import function_from_reference


class TwoClasses(nn.Module):
    """Logits of present and absent, of those that a network gives each label."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, inputs):
        logits = self.network(inputs).flatten()
        return torch.stack([logits, torch.zeros_like(logits)], 1)


NAMES = [
    "cross_entropy",
    "knowledge_distillation",
    "label_smoothing",
    "tf_kd_reg",
    "tf_kd_self",
]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_method_of_its_name_at_two_classes(name):
    torch.manual_seed(0)
    inputs, student, teacher = torch.randn(4, 5), nn.Linear(5, 3), nn.Linear(5, 3)
    labels = torch.randint(2, (4, 3))
    ours, theirs = getattr(tfkd, f"binary_{name}"), getattr(tfkd, name)
    taught = "model" in inspect.signature(theirs).parameters
    one = ours(*[teacher] * taught, scale=2.0)(student(inputs), labels, inputs)
    two = theirs(*[TwoClasses(teacher)] * taught, scale=2.0)(
        TwoClasses(student)(inputs), (1 - labels).flatten(), inputs
    )
    torch.testing.assert_close(one, two)
    gradients = [torch.autograd.grad(loss, list(student.parameters())) for loss in (one, two)]
    for own, other in zip(*gradients, strict=True):
        torch.testing.assert_close(own, other)


@pytest.mark.parametrize("name", NAMES)
def test_its_numbers_have_the_defaults_of_the_method_of_its_name(name):
    ours, theirs = (getattr(tfkd, prefix + name) for prefix in ("binary_", ""))
    parameters, siblings = (inspect.signature(method).parameters for method in (ours, theirs))
    assert list(parameters) == list(siblings)
    assert [own.default for own in parameters.values()] == [
        own.default for own in siblings.values()
    ]


@pytest.mark.parametrize("name", [name for name, row in METHODS.items() if row.binary is not None])
def test_a_method_has_the_numbers_of_its_row(name):
    row = METHODS[name]
    parameters = inspect.signature(function_from_reference(row.binary, tfkd.BinaryDistillationLoss))
    numbers = {
        name: parameter.default
        for name, parameter in parameters.parameters.items()
        if name not in ("model", "weight", "options")
    }
    assert {**numbers, "scale": 1.0} == row.numbers()
    teacher = nn.Linear(3, 2) if "model" in parameters.parameters else None
    built = row.build_binary({}, teacher=teacher)
    for own, value in row.numbers().items():
        teaching = built if own != "confidence" else built.teacher
        assert getattr(teaching, own) == value
