"""With balanced weights every class counts alike, by scikit-learn's formula, in every method."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from own_parts import changed
from sklearn.utils.class_weight import compute_class_weight

from tfkd.data import DataSettings, load_data
from tfkd.data.splits import Split
from tfkd.method_table import METHODS
from tfkd.runs import MethodSettings, Recipe, RunSettings, RunTeacher
from tfkd.train import train_run
from tfkd.train.lesson import class_weights

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = Recipe(
    data=DataSettings("own_parts:uneven_digits", validation_fraction=0.0),
    student="own_parts:linear",
    class_weights="balanced",
    epochs=1,
    batch_size=1000,
)
NUMBERS = {"alpha": 0.3, "temperature": 2.0, "multiplier": 1.0, "confidence": 0.9, "scale": 1.0}
METHODS_AND_DIALECTS = [
    (name, dialect)
    for name, method in METHODS.items()
    for dialect in method.compositions
    if name != "beta_smoothing"  # what it draws depends on who else is in the batch
]


def test_the_weights_are_scikit_learns():
    data = load_data(RECIPE.data, seed=0)
    labels = data.train.labels.numpy()
    found = class_weights(RECIPE, data)
    expected = compute_class_weight("balanced", classes=np.arange(10), y=labels)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)
    # By hand: 45 images; 9 of class 0, which counts half as much as if there were as many of each.
    assert found[0] == pytest.approx(45 / (10 * 9))
    assert class_weights(changed(RunSettings(RECIPE), class_weights="none").recipe, data) is None


def settings_of(name, dialect):
    taken = METHODS[name].numbers(dialect)
    return MethodSettings(name, dialect, {n: NUMBERS[n] for n in taken if n in NUMBERS})


@pytest.mark.parametrize(("name", "dialect"), METHODS_AND_DIALECTS)
def test_every_method_weighs_each_sample_by_its_label(name, dialect, chance):
    """The loss of a batch is the mean of its samples' losses by the weights of their labels."""
    torch.manual_seed(chance.randrange(2**32))
    method = settings_of(name, dialect)
    teacher = torch.nn.Linear(4, 5).double()
    given = {"teacher": teacher} if method.has_teacher else {}
    given |= {"num_classes": 5, "student": teacher, "num_samples": 20}
    weight = torch.rand(5).double() + 0.1
    weighted = method.build(weight=weight, **given)
    plain = method.build(**given)
    logits, inputs = torch.randn(20, 5).double(), torch.randn(20, 4).double()
    labels = torch.arange(20) % 5
    indices = torch.arange(20)
    each = [
        (plain(z[None], y[None], x[None], indices=i[None]) * weight[y]).item()
        for z, y, x, i in zip(logits, labels, inputs, indices, strict=True)
    ]
    expected = sum(each) / weight[labels].sum().item()
    found = weighted(logits, labels, inputs, indices=indices).item()
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_run_learns_with_them(tmp_path):
    """The loss of the first epoch, of one batch, is that of the initial weights, by a formula."""
    from tfkd.models import create_model
    from tfkd.train.seeds import weights_seed

    result = train_run(tmp_path / "run", RunSettings(RECIPE))
    data = load_data(RECIPE.data, seed=0)
    torch.manual_seed(weights_seed(0))
    network = create_model(RECIPE.student, num_classes=10, in_channels=1).double()
    pixels = data.train.official.pixels[data.train.indices].double() / 255
    mean, std = (torch.tensor(own).double().view(1, -1, 1, 1) for own in (data.mean, data.std))
    log_p = network((pixels - mean) / std).log_softmax(1)
    labels = data.train.labels
    weight = torch.tensor(compute_class_weight("balanced", classes=np.arange(10), y=labels.numpy()))
    nll = -log_p[torch.arange(len(labels)), labels]
    expected = (weight[labels] * nll).sum() / weight[labels].sum()
    assert result.train.loss == pytest.approx(expected.item(), rel=1e-5)
    assert result.train.loss != pytest.approx(nll.mean().item(), rel=1e-3)


def test_a_method_that_takes_no_weights_says_so():
    with pytest.raises(ValueError, match="`class_weights` none for own_parts:no_weights, whose"):
        RunSettings(RECIPE, MethodSettings("own_parts:no_weights"))
    method = MethodSettings("own_parts:weights")
    assert method.numbers == {}
    assert RunSettings(RECIPE, method).method.build(
        num_classes=2, weight=torch.ones(2)
    ).weight.tolist() == [1, 1]


def test_a_class_without_an_image_is_named():
    data = load_data(RECIPE.data, seed=0)
    kept = data.train.indices[data.train.labels != 3]
    fewer = dataclasses.replace(data, train=Split(data.train.official, kept))
    with pytest.raises(ValueError, match="for `class_weights` balanced, got none of 3"):
        class_weights(RECIPE, fewer)


def test_a_teacher_may_teach_with_them(tmp_path):
    train_run(tmp_path / "teacher", RunSettings(RECIPE))
    taught = RunSettings(
        RECIPE, settings_of("normal_kd", "tfkd"), RunTeacher(run=str(tmp_path / "teacher"))
    )
    assert train_run(tmp_path / "run", taught).epochs == 1
