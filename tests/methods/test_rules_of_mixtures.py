"""What holds for every method of views, of wrong classes and from weak to strong."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import torch
from torch import nn

import tfkd

K = 5


class Head(nn.Module):
    """A network for inputs `(N, 3)` or `(N, 3, d1, ...)`: one matrix over dimension 1."""

    def __init__(self, seed=1, masked=()):
        super().__init__()
        drawn = torch.randn(K, 3, generator=torch.Generator().manual_seed(seed))
        self.matrix = nn.Parameter(2.0 * drawn.double())
        self.register_buffer("mask", torch.tensor([k in masked for k in range(K)]))

    def forward(self, inputs):
        dim = 0 if inputs.dim() == 1 else 1
        rows = inputs.movedim(dim, -1).to(self.matrix.dtype) @ self.matrix.T
        return rows.masked_fill(self.mask, -math.inf).movedim(-1, dim)


METHODS = {
    "dkd": lambda model, **o: tfkd.decoupled_kd(model, warm_up=1, **o),
    "nkd": lambda model, **o: tfkd.normalized_kd(model, **o),
    "zipf": lambda model, **o: tfkd.zipf_label_smoothing(**o),
    "logit standardisation": lambda model, **o: tfkd.logit_standardization_kd(model, **o),
    "ttm": lambda model, **o: tfkd.transformed_teacher_matching(model, **o),
    "wttm": lambda model, **o: tfkd.weighted_transformed_teacher_matching(model, **o),
    "function matching": lambda model, **o: tfkd.function_matching(model, temperature=2.0, **o),
    "top two": lambda model, **o: tfkd.top_two_kd(model, alpha=0.5, **o),
    "ensemble": lambda model, **o: tfkd.ensemble_kd(
        [model, model], alpha=0.5, temperature=3.0, **o
    ),
    "ensemble of logits": lambda model, **o: tfkd.ensemble_kd(
        [model, copy.deepcopy(model)], average="logits", alpha=0.5, temperature=3.0, **o
    ),
    "weak to strong": lambda model, **o: tfkd.weak_to_strong_kd(
        model, alpha=0.5, samples_per_epoch="told", **o
    ),
}
every_method = pytest.mark.parametrize("build", METHODS.values(), ids=METHODS)
DECOUPLED = ("dkd", "nkd", "zipf")


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def asked(criterion, z, labels, inputs):
    """Value and gradient."""
    z = z.detach().requires_grad_()
    loss = criterion(z, labels, inputs)
    return loss.detach(), torch.autograd.grad(loss.sum(), z)[0]


def close(ours, theirs, rtol=1e-11, atol=1e-12):
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=rtol, atol=atol)


@every_method
def test_positions_of_dense_outputs_are_samples_and_ignored_ones_are_none(build):
    z, inputs = 2.0 * drawn(2, K, 2, 3), drawn(2, 3, 2, 3, seed=1)
    labels = torch.randint(K, (2, 2, 3), generator=torch.Generator().manual_seed(2))
    for ignore_index in (-100, 3):
        labels[0, 0] = ignore_index
        criterion = build(Head(), ignore_index=ignore_index)
        value, gradient = asked(criterion, z, labels, inputs)
        counts = labels.flatten() != ignore_index
        rows, of_inputs = (x.movedim(1, -1).flatten(0, -2)[counts] for x in (z, inputs))
        value_of_rows, of_rows = asked(criterion, rows, labels.flatten()[counts], of_inputs)
        flat = torch.zeros(12, K, dtype=torch.float64)
        flat[counts] = of_rows
        close((value, gradient.movedim(1, -1).flatten(0, -2)), (value_of_rows, flat))


@every_method
def test_a_sample_alone_is_a_batch_of_one(build):
    z, labels, inputs = 2.0 * drawn(1, K), torch.tensor([3]), drawn(1, 3, seed=1)
    criterion = build(Head())
    value, gradient = asked(criterion, z, labels, inputs)
    close(asked(criterion, z[0], labels[0], inputs[0]), (value, gradient[0]))


@every_method
def test_a_class_masked_for_both_is_a_class_left_out(build):
    z, inputs, labels = 2.0 * drawn(4, K), drawn(4, 3, seed=1), torch.tensor([0, 1, 4, 4])
    z[:, 2] = -math.inf
    value, gradient = asked(build(Head(masked=(2,))), z, labels, inputs)
    smaller = Head()
    smaller.matrix = nn.Parameter(smaller.matrix[[0, 1, 3, 4]].detach())
    smaller.mask = smaller.mask[:4]
    kept = torch.tensor([0, 1, 3, 4])
    theirs = asked(build(smaller), z[:, kept], torch.tensor([0, 1, 3, 3]), inputs)
    close((value, gradient[:, kept]), theirs)
    assert not gradient[:, 2].any()


@every_method
def test_classes_and_samples_may_come_in_any_order(build):
    z, inputs, labels = 2.0 * drawn(6, K), drawn(6, 3, seed=1), torch.tensor([0, 1, 4, 2, 3, 3])
    value, gradient = asked(build(Head()), z, labels, inputs)
    classes, samples = torch.tensor([3, 0, 4, 1, 2]), torch.tensor([5, 0, 2, 1, 4, 3])
    permuted = Head()
    permuted.matrix = nn.Parameter(permuted.matrix[classes].detach())
    moved = (z[samples][:, classes], classes.argsort()[labels[samples]], inputs[samples])
    close(asked(build(permuted), *moved), (value, gradient[samples][:, classes]))


@every_method
def test_a_sample_is_weighed_by_the_weight_of_its_class(build):
    z, inputs, labels = 2.0 * drawn(4, K), drawn(4, 3, seed=1), torch.tensor([0, 1, 4, 2])
    weight = torch.tensor([1.0, 0.0, 3.0, 0.5, 2.0], dtype=torch.float64)
    plain = build(Head(), reduction="none")(z, labels, inputs)
    weighed = build(Head(), reduction="none", weight=weight)(z, labels, inputs)
    torch.testing.assert_close(weighed, plain * weight[labels])
    mean = build(Head(), weight=weight)(z, labels, inputs)
    torch.testing.assert_close(mean, weighed.sum() / weight[labels].sum())


@every_method
def test_half_precision_is_computed_in_float32(build):
    z, inputs, labels = 2.0 * drawn(4, K), drawn(4, 3, seed=1), torch.tensor([0, 1, 4, 2])
    for dtype in (torch.bfloat16, torch.float16):
        half = z.to(dtype)
        value, gradient = asked(build(Head().to(dtype)), half, labels, inputs.to(dtype))
        rounded = Head()
        rounded.matrix = nn.Parameter(rounded.matrix.to(dtype).double().detach())
        answered = (inputs.to(dtype) @ rounded.matrix.T.to(dtype)).double()
        exact = asked(build(nn.Identity()), half.double(), labels, answered)
        assert value.dtype == torch.float32
        assert gradient.dtype == dtype
        torch.testing.assert_close(value.double(), exact[0], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(gradient.double(), exact[1], rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("name", [name for name in METHODS if name not in DECOUPLED])
def test_certain_probabilities_are_class_indices(name):
    z, inputs, labels = 2.0 * drawn(4, K), drawn(4, 3, seed=1), torch.tensor([0, 1, 4, 2])
    criterion = METHODS[name](Head())
    soft = nn.functional.one_hot(labels, K).double()
    close(asked(criterion, z, soft, inputs), asked(criterion, z, labels, inputs))
    # What is said of images whose labels were mixed is of the images; the label term is torch's.
    mixed = 0.25 * soft + 0.75 * soft.flip(0)
    halves = [METHODS[name](Head(), reduction="none")(z, q, inputs) for q in (soft, soft.flip(0))]
    whole = METHODS[name](Head(), reduction="none")(z, mixed, inputs)
    torch.testing.assert_close(whole, 0.25 * halves[0] + 0.75 * halves[1])


@every_method
def test_copies_are_the_same_and_nothing_of_a_network_is_saved_or_trained(build):
    z, inputs, labels = 2.0 * drawn(4, K), drawn(4, 3, seed=1), torch.tensor([0, 1, 4, 2])
    criterion = build(Head())
    assert not list(criterion.parameters())
    expected = asked(criterion, z, labels, inputs)
    for twin in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
        close(asked(twin, z, labels, inputs), expected, rtol=0.0, atol=0.0)
        assert repr(twin) == repr(criterion)
        assert all(
            torch.equal(value, criterion.state_dict()[name])
            for name, value in copy.deepcopy(criterion).state_dict().items()
        )
    build(Head(seed=2)).load_state_dict(criterion.state_dict())
    moved = copy.deepcopy(criterion).to(torch.float32)
    single = asked(moved, z.float(), labels, inputs.float())
    close([x.double() for x in single], expected, rtol=1e-4, atol=1e-5)


@every_method
def test_what_a_cache_says_is_what_the_network_says(build, tmp_path):
    z, inputs, labels = 2.0 * drawn(4, K), drawn(4, 3, seed=1), torch.tensor([0, 1, 4, 2])
    network, indices = Head().float(), torch.arange(4)
    cache = tfkd.CachedTeacher.record(tmp_path, network, [(inputs.float(), indices, 0)])
    told = build(cache)(z, labels, indices=indices, view=0)
    torch.testing.assert_close(told, build(network)(z, labels, inputs.float()))


def test_all_of_them_compile_in_one_graph():
    z, inputs, labels = 2.0 * drawn(4, K), drawn(4, 3, seed=1), torch.tensor([0, 1, 4, 2])
    criteria = [build(Head()) for build in METHODS.values()]
    eager = [copy.deepcopy(criterion) for criterion in criteria]

    def together(z):
        return torch.stack([criterion(z, labels, inputs) for criterion in criteria])

    compiled = torch.compile(together, fullgraph=True, backend="eager")
    z.requires_grad_()
    losses = compiled(z)
    expected = torch.stack([criterion(z, labels, inputs) for criterion in eager])
    torch.testing.assert_close(losses, expected)
    gradients = (torch.autograd.grad(own.sum(), z)[0] for own in (losses, expected))
    torch.testing.assert_close(*gradients)
    for ours, theirs in zip(criteria, eager, strict=True):
        assert all(torch.equal(v, theirs.state_dict()[k]) for k, v in ours.state_dict().items())
