"""What a teacher cache cannot be made of, or cannot teach, is said by name and in time."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tfkd

K, N = 5, 12
FORMS = {
    "float32": {},
    "float16": {"form": "float16"},
    "top-2": {"form": "top-2"},
    "sampled-3": {"form": "sampled-3", "temperature": 2.0},
}


class Counting(nn.Linear):
    """A network that counts how often it is asked, also when it is copied."""

    asked = 0

    def forward(self, inputs):
        Counting.asked += 1
        return super().forward(inputs)


@pytest.fixture
def network():
    torch.manual_seed(0)
    Counting.asked = 0
    return Counting(3, K)


@pytest.fixture
def inputs():
    return torch.randn(N, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def caches(network, inputs, tmp_path):
    whole = [(inputs, torch.arange(N), 0)]
    return {
        form: tfkd.CachedTeacher.record(tmp_path / form, network, whole, **options)
        for form, options in FORMS.items()
    }


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("classes", [K - 1, K + 1])
def test_a_student_of_other_classes_is_refused(caches, form, classes):
    cached, indices = caches[form], torch.tensor([7, 0])
    message = (
        rf"a student of the {K} classes of the teacher cache in {re.escape(str(cached.path))}, got "
        rf"{classes}: do teacher and student have the same classes\?$"
    )
    several = tfkd.EnsembleTeacher([cached, tfkd.UniformTeacher()])
    for teacher in (cached, several):
        criterion = tfkd.knowledge_distillation(teacher, temperature=2.0)
        with pytest.raises(ValueError, match=message):
            criterion(torch.zeros(2, classes), torch.tensor([0, 1]), indices=indices)
        with pytest.raises(ValueError, match=message):
            criterion(torch.zeros(classes), torch.tensor(0), indices=indices[0])
        last = tfkd.knowledge_distillation(teacher, temperature=2.0, class_dim=-1)
        with pytest.raises(ValueError, match=message):
            last(torch.zeros(2, K, classes), torch.zeros(2, K).long(), indices=indices)


@pytest.mark.parametrize("form", FORMS)
def test_indices_of_other_samples_are_refused_by_name(caches, form):
    criterion = tfkd.knowledge_distillation(caches[form], temperature=2.0)
    z, labels = torch.zeros(8, K), torch.zeros(8, dtype=torch.int64)
    for indices, message in (
        (torch.arange(4), "`indices` of the 8 samples, got 4"),
        (torch.arange(9), "`indices` of the 8 samples, got 9"),
        (torch.zeros(8, 1).long(), r"`indices` of the 8 samples, got those of shape \(8, 1\)"),
        (torch.tensor(3), r"`indices` of the 8 samples, got those of shape \(\)"),
    ):
        with pytest.raises(ValueError, match=message):
            criterion(z, labels, indices=indices)
    with pytest.raises(ValueError, match=r"`indices` of one sample, of shape \(\), got .*\(1,\)"):
        criterion(z[0], labels[0], indices=torch.tensor([3]))


def refused(form):
    return rf"no teacher cache of draws with .*, got {form} in .*right on average only"


def test_draws_are_refused_where_they_are_not_right_on_average(caches):
    drawn, why = caches["sampled-3"], refused("sampled-3")
    mixed = tfkd.EnsembleTeacher([tfkd.UniformTeacher(), drawn])
    options = {"alpha": 0.5, "temperature": 2.0}
    for make in (
        lambda: tfkd.DistillationLoss(drawn, decoupled=(1.0, 2.0), **options),
        lambda: tfkd.DistillationLoss(drawn, standardize=True, **options),
        lambda: tfkd.DistillationLoss(mixed, decoupled=(1.0, 2.0), **options),
        lambda: tfkd.decoupled_kd(drawn, temperature=2.0, warm_up=1),
        lambda: tfkd.TemperedTeacher(drawn, 2.0),
        lambda: tfkd.TopTwoTeacher(drawn),
        lambda: tfkd.NormalizedTeacher(drawn),
        lambda: tfkd.UntilPassedTeacher(mixed),
        lambda: tfkd.EnsembleTeacher([drawn], average="logits"),
    ):
        with pytest.raises(ValueError, match=why):
            make()


def test_settings_that_draws_do_not_fit_are_refused_when_they_are_changed(caches):
    drawn, exact = caches["sampled-3"], caches["float32"]
    criterion = tfkd.DistillationLoss(drawn, alpha=0.5, temperature=2.0)
    for name, value in (("decoupled", (1.0, 2.0)), ("standardize", True)):
        with pytest.raises(ValueError, match=rf"draws with `{name}`"):
            setattr(criterion, name, value)
    assert criterion.decoupled is None
    assert not criterion.standardize
    criterion.teacher = exact
    criterion.decoupled = (1.0, 2.0)
    with pytest.raises(ValueError, match="draws with `decoupled`"):
        criterion.teacher = drawn
    assert criterion.teacher is exact
    criterion.decoupled = None
    criterion.teacher = drawn
    assert criterion.teacher is drawn


def test_other_forms_teach_there(caches, network, inputs):
    z = torch.randn(4, K, generator=torch.Generator().manual_seed(2))
    labels, indices = torch.arange(4), torch.tensor([3, 9, 1, 4])
    for options in ({"decoupled": (1.0, 2.0)}, {"standardize": True}):
        options |= {"alpha": 0.5, "temperature": 2.0}
        said = tfkd.DistillationLoss(caches["float32"], **options)(z, labels, indices=indices)
        expected = tfkd.distillation_loss(z, labels, network(inputs[indices]), **options)
        torch.testing.assert_close(said, expected)
        assert tfkd.DistillationLoss(caches["top-2"], **options)(z, labels, indices=indices) > 0.0


def test_probabilities_of_draws_may_be_averaged(caches):
    z = torch.randn(4, K, generator=torch.Generator().manual_seed(2))
    labels, indices, drawn = torch.arange(4), torch.tensor([3, 9, 1, 4]), caches["sampled-3"]
    mixed = tfkd.EnsembleTeacher([tfkd.UniformTeacher(), drawn])
    loss = tfkd.DistillationLoss(mixed, alpha=1.0, temperature=2.0)(z, labels, indices=indices)
    said = drawn(tfkd.Batch(z, labels, indices=indices, temperature=2.0))
    counts = torch.zeros(4, K, dtype=torch.float64)
    counts.scatter_(1, said.classes, (said.values.double() / 2.0).exp())
    t = (counts / 3.0 + 1.0 / K) / 2.0
    expected = 4.0 * (t * (t.log() - (z.double() / 2.0).log_softmax(1))).sum(1).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("identity", "got"),
    [
        ({"epoch": 3}, r"\{'epoch': 3\}"),
        ({3: "epoch"}, r"\{3: 'epoch'\}"),
        ("v1", "'v1'"),
        ([("weights", "v1")], r"\[\('weights', 'v1'\)\]"),
        ("x" * 999, r"'x{76}\.\.\."),
    ],
)
def test_an_identity_that_is_no_text_is_refused_before_anyone_is_asked(
    network, inputs, tmp_path, identity, got
):
    whole = [(inputs, torch.arange(N), 0)]
    message = rf"`identity` to be a dict of text to text, got {got}\.$"
    with pytest.raises(TypeError, match=message):
        tfkd.CachedTeacher.record(tmp_path / "cache", network, whole, identity=identity)
    assert Counting.asked == 0
    assert list(tmp_path.iterdir()) == []
    tfkd.CachedTeacher.record(tmp_path / "cache", network, whole)
    with pytest.raises(TypeError, match=message):
        tfkd.CachedTeacher(tmp_path / "cache", identity=identity)


def test_an_identity_that_no_description_holds_is_refused_before_anyone_is_asked(
    network, inputs, tmp_path
):
    whole = [(inputs, torch.arange(N), 0)]
    with pytest.raises(ValueError, match="`identity` of at most 8388608 bytes, got 8388622"):
        tfkd.CachedTeacher.record(tmp_path, network, whole, identity={"data": "x" * 2**23 + "xx"})
    assert Counting.asked == 0
    longest = {"data": "x" * (2**23 - 12)}
    assert tfkd.CachedTeacher.record(tmp_path, network, whole, identity=longest).samples == N


def test_batches_without_indices_or_view_are_refused_saying_what_is_missing(
    network, inputs, tmp_path
):
    labels, indices = torch.zeros(N, dtype=torch.int64), torch.arange(N)
    what = r"`batches` of \(inputs, indices, view\), got {}\..*without augmentation `view` is 0"
    for batches, got in (
        (DataLoader(TensorDataset(inputs, labels), batch_size=4), "a list of 2"),
        ([(inputs, labels, indices, 0)], "a tuple of 4"),
        (inputs.split(3), "Tensor"),  # three rows are no three parts
        ([{"inputs": inputs, "indices": indices, "view": 0}], "dict"),
    ):
        with pytest.raises(TypeError, match=what.format(got)):
            tfkd.CachedTeacher.record(tmp_path / "cache", network, batches)
    with pytest.raises(TypeError, match=r"`indices` to be a tensor \(n,\) of int64, got list"):
        tfkd.CachedTeacher.record(tmp_path / "cache", network, [(inputs, list(range(N)), 0)])
    assert Counting.asked == 0
    cached = tfkd.CachedTeacher.record(
        tmp_path / "cache",
        network,
        DataLoader(TensorDataset(inputs, indices), 4, collate_fn=with_view),
    )
    z, part = torch.zeros(2, K), torch.tensor([7, 0])
    loss = tfkd.knowledge_distillation(cached, alpha=0.5)(z, part % K, indices=part)
    asked = tfkd.knowledge_distillation(network, alpha=0.5)(z, part % K, inputs[part])
    torch.testing.assert_close(loss, asked)


def with_view(samples):
    images, indices = zip(*samples, strict=True)
    return torch.stack(images), torch.stack(indices), 0


@pytest.mark.parametrize("form", FORMS)
def test_of_no_samples_the_mean_is_undefined_as_of_torch(caches, form):
    criterion = tfkd.DistillationLoss(caches[form], alpha=0.5, temperature=2.0)
    none = torch.arange(0)
    loss = criterion(torch.zeros(0, K, requires_grad=True), none, indices=none)
    assert loss.isnan()
