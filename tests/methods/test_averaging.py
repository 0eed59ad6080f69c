"""Self-distillation: tempered on the side of the teacher alone, and generation by generation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tfkd


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.randn(6, 5).double(), torch.randn(6, 5).double(), torch.randint(5, (6,))


def test_instance_specific_smoothing_tempers_the_teacher_alone(batch):
    """(1 − .4)·CE + .4·H(softmax(t/4), p), and ours is less by .4 times the teacher's entropy."""
    z, t, labels = batch
    z.requires_grad_()
    ours = tfkd.instance_specific_label_smoothing(nn.Identity())(z, labels, t)
    soft = (t / 4.0).softmax(1)
    published = 0.6 * F.cross_entropy(z, labels) + 0.4 * F.cross_entropy(z, soft)
    constant = 0.4 * -(soft * soft.log()).sum(1).mean()
    assert ours.item() == pytest.approx((published - constant).item(), abs=1e-12)
    (gradient,) = torch.autograd.grad(ours, z)
    (expected,) = torch.autograd.grad(published, z)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-14)


def test_the_push_on_a_class_that_the_student_excludes_is_not_capped():
    """The official code adds 1e-8 to p, which leaves (0.326, -0.072, -0.254) of this."""
    z = torch.tensor([[12.0, -8.0, 0.0]], dtype=torch.float64, requires_grad=True)
    t = torch.tensor([[1.0, 2.0, 0.0]], dtype=torch.float64)
    criterion = tfkd.instance_specific_label_smoothing(nn.Identity(), alpha=1.0)
    (gradient,) = torch.autograd.grad(criterion(z, torch.tensor([0]), t), z)
    assert gradient[0].tolist() == pytest.approx([0.6735, -0.4192, -0.2543], abs=5e-5)


def test_born_again_looks_at_no_label_unless_it_is_told_to(batch):
    z, t, labels = batch
    kl = F.kl_div(z.log_softmax(1), t.log_softmax(1), reduction="batchmean", log_target=True)
    alone = tfkd.born_again(nn.Identity())
    assert alone(z, labels, t).item() == pytest.approx(kl.item(), abs=1e-12)
    assert alone(z, (labels + 1) % 5, t).item() == alone(z, labels, t).item()
    both = tfkd.born_again(nn.Identity(), alpha=0.5, scale=2.0)
    expected = F.cross_entropy(z, labels) + kl
    assert both(z, labels, t).item() == pytest.approx(expected.item(), abs=1e-12)
