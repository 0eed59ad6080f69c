"""The sweep on a GPU against the equation in float64: on one, or else as Triton interprets it."""

import itertools
import math
import os
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import tfkd
from tfkd.loss import without_kernels
from tfkd.loss.kernels import gpu_sweep, one_pass

pytest.importorskip("triton")
ON_GPU = torch.cuda.is_available()
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = torch.device("cuda" if ON_GPU else "cpu")
ROUNDING = {torch.float32: 2e-6, torch.float16: 1e-3, torch.bfloat16: 8e-3}
"""How far a gradient may lie from float64's, in parts of the largest: that of its dtype."""
# NumPy, which interprets, warns of what a GPU computes in silence, and throws away.
pytestmark = pytest.mark.filterwarnings("ignore:.* encountered in .*:RuntimeWarning")
rows = pytest.mark.skipif(not (ON_GPU or INTERPRETED), reason="needs a GPU, or to be interpreted")


@pytest.mark.skipif(ON_GPU or INTERPRETED, reason="they run on the GPU")
def test_every_test_here_passes_where_it_is_interpreted():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__))]
    env = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


@pytest.fixture(autouse=True)
def sweeps(monkeypatch):
    """Take tensors on the CPU for those of a GPU, and count the calls of the sweep."""
    if not ON_GPU:
        for module in (one_pass, gpu_sweep):
            monkeypatch.setattr(module, "is_with_triton", lambda logits: True)
    counted = []
    for name in ("_OF_GAP", "_OF_LOGITS"):
        way = getattr(gpu_sweep, name)

        def counting(*args, way=way):
            counted.append(args)
            return way.sweep(*args)

        monkeypatch.setattr(gpu_sweep, name, way._replace(sweep=counting))
    return counted


def in_blocks(monkeypatch):
    """Look at 16 logits together, so that few classes are many blocks."""
    from tfkd.loss.kernels import rows_on_gpu

    for name, number in (("WHOLE", 16), ("LARGEST", 128), ("BY_WARP", 16)):
        monkeypatch.setattr(rows_on_gpu, name, number)


def logits(*shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return (3.0 * torch.randn(*shape, generator=generator)).to(DEVICE, dtype)


def labels_of(count, num_classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(num_classes, (count,), generator=generator).to(DEVICE)


def value_and_gradient(loss_of, z):
    leaf = z.detach().clone().requires_grad_()
    loss = loss_of(leaf)
    factor = torch.linspace(0.5, 2.0, loss.numel(), device=z.device).view(loss.shape)
    (gradient,) = torch.autograd.grad(loss, leaf, factor.to(loss.dtype))
    return loss.detach(), gradient


def agrees(z, labels, teacher, options):
    """Hold loss and gradient against the equation in float64."""
    wide = {k: v.double() if isinstance(v, torch.Tensor) else v for k, v in options.items()}
    said = teacher.double() if isinstance(teacher, torch.Tensor) else teacher
    with without_kernels():
        expected = value_and_gradient(
            lambda x: tfkd.distillation_loss(x, labels, said, **wide), z.double()
        )
    loss, gradient = value_and_gradient(
        lambda x: tfkd.distillation_loss(x, labels, teacher, **options), z
    )
    assert loss.dtype == torch.float32
    assert gradient.dtype == z.dtype
    size = max(1.0, options.get("temperature", 1.0) ** 2)
    torch.testing.assert_close(loss.double(), expected[0], rtol=1e-5, atol=1e-6 * size)
    bound = ROUNDING[z.dtype] * float(expected[1].abs().max())
    torch.testing.assert_close(gradient.double(), expected[1], rtol=ROUNDING[z.dtype], atol=bound)


GAPS = (0.0, 6.8, math.inf)


@rows
@pytest.mark.parametrize("blocks", [False, True], ids=["whole rows", "in blocks"])
@pytest.mark.parametrize("teacher", [*GAPS, "logits"], ids=str)
@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
def test_loss_and_gradient_are_the_equations(teacher, dtype, blocks, sweeps, monkeypatch):
    if blocks:
        in_blocks(monkeypatch)
    z, labels = logits(4, 50, dtype=dtype), labels_of(4, 50)
    labels[1] = -100
    if teacher == "logits":
        teacher = logits(4, 50, seed=1, dtype=torch.bfloat16)
    settings = ((0.3, 1.0, "mean"), (0.3, 4.0, "none"), (1.0, 4.0, "mean"))
    for alpha, temperature, reduction in settings:
        options = {"alpha": alpha, "temperature": temperature, "scale": 0.7}
        agrees(z, labels, teacher, {**options, "reduction": reduction})
    assert len(sweeps) == len(settings)


@rows
@pytest.mark.parametrize("teacher", [6.8, "logits"], ids=str)
def test_samples_are_weighed_by_class_and_by_share(teacher, sweeps, monkeypatch):
    in_blocks(monkeypatch)
    z, labels = logits(4, 40), labels_of(4, 40)
    labels[2] = 3
    weight = torch.linspace(0.0, 2.0, 40, device=DEVICE)
    weight[3] = 0.0
    options = {"alpha": 0.3, "temperature": 2.0, "weight": weight}
    if teacher == "logits":
        teacher = logits(4, 40, seed=1)
        teacher[1] = math.nan  # nobody listens there
        share = torch.tensor([1.0, 0.0, 2.0, 0.5], device=DEVICE)
        options |= {"share": share, "label_share": 0.25}
    agrees(z, labels, teacher, options)
    agrees(z, labels, teacher, {**options, "reduction": "sum"})
    assert len(sweeps) == 2


@rows
@pytest.mark.parametrize("blocks", [False, True], ids=["whole rows", "in blocks"])
def test_masked_classes_and_logits_far_from_0(blocks, monkeypatch):
    if blocks:
        in_blocks(monkeypatch)
    z, t, labels = logits(3, 40), logits(3, 40, seed=1), labels_of(3, 40)
    z[0, :20] = t[0, :21] = -math.inf
    labels[0] = 30
    z[1] += 2000.0
    t[2, 0] = 90.0
    for temperature in (1.0, 4.0):
        agrees(z, labels, t, {"alpha": 0.5, "temperature": temperature})
    z[0] = 1.0
    agrees(z, labels, 6.8, {"alpha": 0.5, "temperature": 20.0})
    # The true class is masked where nobody listens to the label.
    z[0, 30] = t[0, 30] = -math.inf
    for label_share in (0.0, torch.tensor([0.0, 1.0, 1.0], device=DEVICE)):
        agrees(z, labels, t, {"alpha": 0.5, "label_share": label_share})
    z[0, 30] = t[0, 30] = 1.0
    # The teacher gives mass to a class that the student masks.
    z[0, 25] = -math.inf
    loss = tfkd.distillation_loss(z.requires_grad_(), labels, t, alpha=0.5, reduction="none")
    assert loss[0] == math.inf
    assert loss[1:].isfinite().all()


@rows
def test_it_is_differentiated_twice_kept_and_asked_again():
    z, labels, t = logits(3, 12).requires_grad_(), labels_of(3, 12), logits(3, 12, seed=1)
    for said in (6.8, t):
        loss = tfkd.distillation_loss(z, labels, said, alpha=0.3, temperature=2.0)
        first = torch.autograd.grad(loss, z, retain_graph=True)[0]
        assert torch.equal(first, torch.autograd.grad(loss, z, retain_graph=True)[0])
        once = torch.autograd.grad(loss, z, create_graph=True)[0]
        ours = torch.autograd.grad(once.square().sum(), z)[0]
        with without_kernels():
            loss = tfkd.distillation_loss(z, labels, said, alpha=0.3, temperature=2.0)
            once = torch.autograd.grad(loss, z, create_graph=True)[0]
            expected = torch.autograd.grad(once.square().sum(), z)[0]
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)


@rows
def test_rows_may_lie_apart_or_be_shared():
    labels = labels_of(3, 20)
    apart, turned = logits(3, 40)[:, :20], logits(20, 3).T
    shared = logits(1, 20, seed=1).expand(3, 20)
    for z, t in itertools.product((apart, turned), (shared, logits(20, 3, seed=2).T)):
        agrees(z, labels, t, {"alpha": 0.5, "temperature": 2.0})


@rows
def test_no_samples_none_that_counts_and_labels_out_of_range():
    z, none = logits(0, 5).requires_grad_(), labels_of(0, 5)
    loss = tfkd.distillation_loss(z, none, 6.8, alpha=0.5, reduction="sum")
    loss.backward()
    assert loss == 0.0
    assert z.grad.shape == (0, 5)
    z = logits(2, 5).requires_grad_()
    loss = tfkd.distillation_loss(z, none.new_full((2,), -100), logits(2, 5), alpha=0.5)
    loss.backward()
    assert loss.isnan()
    assert torch.equal(z.grad, torch.zeros_like(z))
    if not ON_GPU:  # where it would end the process, as torch's loss does
        with pytest.raises((IndexError, RuntimeError)):
            tfkd.distillation_loss(z, none.new_full((2,), 5), 6.8, alpha=0.5)


class Made(TorchDispatchMode):
    """Notes the operations that return tensors of a shape."""

    def __init__(self, shape):
        super().__init__()
        self.shape, self.names = shape, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and out.shape == self.shape:
            self.names.append(func.overloadpacket.__name__)
        return out


@rows
@pytest.mark.parametrize("teacher", [6.8, "logits"], ids=str)
def test_nothing_of_their_size_is_made_but_the_gradient(teacher):
    z, labels = logits(6, 30).requires_grad_(), labels_of(6, 30)
    said = logits(6, 30, seed=1) if teacher == "logits" else teacher
    with Made((6, 30)) as made:
        tfkd.distillation_loss(z, labels, said, alpha=0.3, temperature=4.0).backward()
    views = ("detach", "alias", "view", "set_")  # the last by what interprets
    assert [name for name in made.names if name not in views] == ["empty_like"]


@pytest.mark.parametrize("fails", [False, True])
def test_where_triton_compiles_nothing_torch_computes_and_it_is_said_once(fails, monkeypatch):
    rows_on_gpu = pytest.importorskip("tfkd.loss.kernels.rows_on_gpu")
    asked = []

    def multiply_rows(gradient, factor):
        asked.append(gradient)
        if fails:
            raise RuntimeError("Failed to find C compiler.")

    monkeypatch.undo()  # of what takes every tensor for one of a GPU
    monkeypatch.setattr(rows_on_gpu, "multiply_rows", multiply_rows)
    monkeypatch.setattr(one_pass, "_compiles", cache(one_pass._compiles.__wrapped__))
    seen = SimpleNamespace(is_cuda=True, device=torch.device("cpu"))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert [one_pass.is_with_triton(seen) for _ in range(2)] == [not fails] * 2
    assert len(asked) == 1
    assert ["Failed to find C compiler" in str(each.message) for each in said] == [True] * fails


@pytest.mark.skipif(not ON_GPU, reason="needs a GPU")
def test_nobody_waits_for_the_gpu(never_waiting):
    z, labels, t = logits(8, 3000).requires_grad_(), labels_of(8, 3000), logits(8, 3000, seed=1)
    criteria = [tfkd.tf_kd_reg().to(DEVICE), tfkd.label_smoothing(0.1).to(DEVICE)]
    with never_waiting():
        for criterion in criteria:
            criterion(z, labels).backward()
        tfkd.distillation_loss(z, labels, t, alpha=0.5, temperature=4.0).backward()
