"""Every method says its own name, and what it takes, of an option that it has not."""

from __future__ import annotations

import inspect

import pytest
import torch

import tfkd
from tfkd.loss.schedules import Linear

METHODS = [
    name
    for name in tfkd.__all__
    if inspect.isfunction(getattr(tfkd, name))
    and "options" in inspect.signature(getattr(tfkd, name)).parameters
]


def test_all_of_them_are_looked_at():
    assert len(METHODS) == 42


@pytest.mark.parametrize("name", METHODS)
def test_an_option_that_a_method_has_not_is_told_under_its_own_name(name):
    method = getattr(tfkd, name)
    own = [
        parameter.name
        for parameter in inspect.signature(method).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    with pytest.raises(TypeError) as raised:
        method(no_such=1)
    first = f"Expected options of `tfkd.{name}` among {', '.join([*own, ''])}"
    assert str(raised.value).startswith(first)
    assert str(raised.value).endswith(", got `no_such`.")
    with pytest.raises(TypeError, match=r"got `wieght`\. Did you mean weight\?"):
        method(wieght=1)


def test_what_is_near_to_a_number_of_its_own_is_told():
    with pytest.raises(TypeError, match=r"`tfkd.tf_kd_reg` .* got `alhpa`\. Did you mean alpha\?"):
        tfkd.tf_kd_reg(alhpa=0.2)


def test_what_a_method_sets_itself_is_no_option_of_it():
    with pytest.raises(TypeError, match=r"`tfkd.function_matching` among .* got `alpha`\."):
        tfkd.function_matching(torch.nn.Linear(2, 2), alpha=0.5)
    with pytest.raises(TypeError, match=r"`tfkd.label_smoothing` among .* got `temperature`\."):
        tfkd.label_smoothing(temperature=2.0)


def test_what_is_of_the_loss_alone_is_passed_on():
    assert tfkd.tf_kd_reg(standardize=True).standardize
    halved = Linear(start=0.5, end=0.0, epochs=3)
    for method in (tfkd.tf_kd_reg, tfkd.binary_tf_kd_reg):
        criterion = method(alpha=halved, samples_per_epoch="told")
        criterion.epoch_ended()
        assert criterion.alpha == 0.25
