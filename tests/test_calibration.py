"""The temperature: scipy's minimum, a dense grid's, probmetrics' and netcal's; it never fails."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from torch import nn

import tfkd
from tfkd.calibration import LOG_RANGE
from tfkd.metrics import all_metrics, negative_log_likelihood

LOWEST, HIGHEST = math.exp(-LOG_RANGE), math.exp(LOG_RANGE)


def draw(seed, count, classes, *, scale=1.0, sure=1.5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (count,), generator=generator)
    logits = torch.randn(count, classes, generator=generator, dtype=torch.float64)
    logits[torch.arange(count), labels] += sure
    return (scale * logits).to(dtype), labels


def objective(logits, labels, random_labels):
    """The NLL at log β, with so many labels more: spread over the samples' open classes."""
    z = logits.double().numpy()
    y = labels.numpy()
    z = z - z.max(1, keepdims=True)
    counted = np.isfinite(z[np.arange(len(y)), y])
    z, y = z[counted], y[counted]
    open_ = np.isfinite(z)
    mean = np.where(open_, z, 0.0).sum(1) / open_.sum(1)
    share = random_labels / (len(y) + random_labels)
    wanted = (1 - share) * z[np.arange(len(y)), y] + share * mean

    def nll(log_beta):
        beta = math.exp(log_beta)
        return float((logsumexp(beta * z, axis=1) - beta * wanted).mean())

    return nll


@pytest.mark.parametrize("random_labels", [0.0, 1.0, 30.0])
@pytest.mark.parametrize(
    ("count", "classes", "scale"),
    [(40, 2, 1.0), (200, 10, 4.0), (20, 1000, 0.3), (100, 5, 1e-6), (100, 5, 1e6), (3, 4, 1.0)],
)
def test_it_is_scipys_minimum_and_that_of_a_dense_grid(count, classes, scale, random_labels):
    logits, labels = draw(count + classes, count, classes, scale=scale)
    logits[0, (labels[0] + 1) % classes] = 3.0 * scale + logits[0].max()  # one is wrong
    nll = objective(logits, labels, random_labels)
    found = math.log(tfkd.fit_temperature(logits, labels, random_labels=random_labels))
    theirs = minimize_scalar(nll, bounds=(-LOG_RANGE, LOG_RANGE), options={"xatol": 1e-12})
    # Of a minimum scipy tells half of the digits.
    assert -found == pytest.approx(float(theirs.x), abs=2e-5)
    assert nll(-found) <= min(nll(value) for value in np.linspace(-16.0, 16.0, 801)) + 1e-12
    assert nll(-found) <= float(theirs.fun) + 1e-12


@pytest.fixture
def others_warn():
    """Their warnings are none of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.usefixtures("others_warn")
def test_it_is_probmetrics_temperature():
    calibrators = pytest.importorskip("probmetrics.calibrators")
    distributions = pytest.importorskip("probmetrics.distributions")
    logits, labels = draw(3, 400, 6, scale=3.0)
    calibrator = calibrators.TemperatureScalingCalibrator()
    calibrator.fit_torch(distributions.CategoricalLogits(logits), labels)
    found = tfkd.fit_temperature(logits, labels, random_labels=0.0)
    assert found == pytest.approx(1.0 / float(calibrator.invtemp_), rel=1e-5)


@pytest.mark.usefixtures("others_warn")
def test_it_is_netcals_temperature():
    scaling = pytest.importorskip("netcal.scaling").TemperatureScaling()
    logits, labels = draw(4, 300, 5, scale=3.0)
    scaling.fit(logits.softmax(1).numpy(), labels.numpy())
    found = tfkd.fit_temperature(logits, labels, random_labels=0.0)
    # They hold the inverse, and stop earlier.
    assert found == pytest.approx(1.0 / float(np.asarray(scaling.temperature).item()), rel=1e-3)


def test_it_may_be_known_by_hand():
    # Sure by 9 : 1 and right in 2 of 3: 2 : 1 is 9^β.
    logits = torch.tensor([[0.9, 0.1]] * 3).log()
    found = tfkd.fit_temperature(logits, torch.tensor([0, 0, 1]), random_labels=0.0)
    assert found == pytest.approx(math.log(9) / math.log(2), rel=1e-6)
    # With a tenth of a label more, half of it to each class: 2.05 : 1.05.
    found = tfkd.fit_temperature(logits, torch.tensor([0, 0, 1]))
    assert found == pytest.approx(math.log(9) / math.log(2.05 / 1.05), rel=1e-6)
    # Five times the logits are five times the temperature.
    again = tfkd.fit_temperature(5.0 * logits, torch.tensor([0, 0, 1]))
    assert again == pytest.approx(5.0 * found, rel=1e-6)


def test_where_all_are_right_or_wrong_or_there_is_one():
    logits, _ = draw(5, 50, 4)
    right, wrong = logits.argmax(1), logits.argmin(1)
    # The lower the better, until no float64 tells a difference.
    found = tfkd.fit_temperature(logits, right, random_labels=0.0)
    assert found >= LOWEST and negative_log_likelihood(logits / found, right) < 1e-300
    assert tfkd.fit_temperature(logits, wrong, random_labels=0.0) == pytest.approx(HIGHEST)
    # As if one label of 51 were anything.
    assert LOWEST * 1e3 < tfkd.fit_temperature(logits, right) < 1.0
    assert tfkd.fit_temperature(logits[:1], right[:1]) > tfkd.fit_temperature(logits, right) > 0.0
    assert tfkd.fit_temperature(torch.full((7, 3), 5.0), torch.zeros(7, dtype=torch.long)) == 1.0


def test_masked_classes_are_as_if_absent():
    logits, labels = draw(6, 60, 4)
    masked = torch.cat([logits, torch.full((60, 3), -math.inf)], 1)
    found = tfkd.fit_temperature(logits, labels)
    assert tfkd.fit_temperature(masked, labels) == pytest.approx(found, rel=1e-12)
    # A sample of a masked class tells nothing.
    masked, more = torch.cat([masked, masked[:2]]), torch.cat([labels, torch.tensor([5, 6])])
    assert tfkd.fit_temperature(masked, more) == pytest.approx(found, rel=1e-12)
    assert tfkd.fit_temperature(masked[:3], torch.tensor([4, 5, 6])) == 1.0


KINDS = ("ordinary", "equal", "one far ahead", "ties", "masked", "all right", "all wrong")


def test_it_never_fails_and_makes_no_nll_worse(cases, examples):
    strategy = st.tuples(
        st.integers(0, 1 << 30),
        st.integers(1, 40),
        st.sampled_from([2, 3, 10, 300]),
        st.sampled_from([1e-6, 1e-2, 1.0, 30.0, 1e6]),
        st.sampled_from(KINDS),
        st.sampled_from([torch.float64, torch.float32, torch.bfloat16, torch.float16]),
        st.sampled_from([0.0, 1.0, 1000.0]),
    )

    @cases.for_all(2 * examples, strategy)
    def check(case):
        seed, count, classes, scale, kind, dtype, random_labels = case
        logits, labels = draw(seed, count, classes, scale=scale)
        if kind == "equal":
            logits = torch.full_like(logits, scale)
        elif kind == "one far ahead":
            logits[:, 0] += 1e4 * scale
        elif kind == "ties":
            logits = (logits / scale).round() * scale
        elif kind == "masked":
            logits[:, 1] = -math.inf
        elif kind == "all right":
            labels = logits.argmax(1)
        elif kind == "all wrong":
            labels = logits.argmin(1)
        largest = torch.finfo(dtype).max
        logits = torch.where(logits.isfinite(), logits.clamp(-largest, largest), logits).to(dtype)
        found = tfkd.fit_temperature(logits, labels, random_labels=random_labels)
        assert LOWEST * (1 - 1e-9) <= found <= HIGHEST * (1 + 1e-9)
        if kind == "masked":
            return
        nll = objective(logits, labels, random_labels)
        here, size = nll(-math.log(found)), max(1.0, scale)
        for other in (-16.0, -3.0, 0.0, 3.0, 16.0):
            assert here <= nll(other) + 1e-9 * size
        values = all_metrics(logits.double() / found, labels)
        assert not any(math.isnan(value) for value in values.values())


def test_what_is_no_logits_is_refused():
    logits, labels = draw(7, 5, 3)
    for value in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="`random_labels` of at least 0"):
            tfkd.fit_temperature(logits, labels, random_labels=value)
    with pytest.raises(TypeError, match="`random_labels` to be a number"):
        tfkd.fit_temperature(logits, labels, random_labels="1")
    with pytest.raises(ValueError, match=r"`labels` in \[0, 2\], got 3"):
        tfkd.TemperatureScaling().fit(logits, labels.clamp(min=3))
    with pytest.raises(TypeError, match="`logits` to be a tensor"):
        tfkd.fit_temperature(logits.tolist(), labels)
    with pytest.raises(ValueError, match="`logits` without NaN"):
        tfkd.TemperatureScaling().fit(logits * math.nan, labels)


def test_the_module_divides_and_is_saved():
    logits, labels = draw(8, 80, 5, scale=3.0)
    scaling = tfkd.TemperatureScaling()
    assert torch.equal(scaling(logits), logits)
    assert scaling.fit(logits, labels) is scaling
    found = tfkd.fit_temperature(logits, labels)
    assert scaling(logits) == pytest.approx((logits / found), rel=1e-6)
    assert negative_log_likelihood(scaling(logits), labels) < negative_log_likelihood(
        logits, labels
    )
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        assert scaling(logits.to(dtype)).dtype == dtype
    for shape in ((5,), (2, 5, 3)):
        assert scaling(torch.zeros(shape)).shape == shape
    network = nn.Sequential(nn.Linear(4, 5), scaling)
    assert [name for name, _ in network.named_parameters()] == ["0.weight", "0.bias"]
    again = nn.Sequential(nn.Linear(4, 5), tfkd.TemperatureScaling())
    again.load_state_dict(network.state_dict())
    images = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again(images), network(images))
    assert again.double()(images.double()).dtype == torch.float64
    # It hands gradients on.
    images.requires_grad_()
    network(images).sum().backward()
    assert images.grad is not None and bool(images.grad.isfinite().all())
