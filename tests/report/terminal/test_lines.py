"""What is said of a temperature."""

import pytest

from tfkd.report.terminal.lines import heading_of, on_temperature
from tfkd.runs import Metrics


def metrics(nll):
    return Metrics(accuracy=0.5, nll=nll, ece=0.1, brier=0.5, aurc=0.1)


@pytest.mark.parametrize(
    ("images", "temperature", "nll", "more"),
    [
        (500, 1.3, 0.5, ""),
        (120, 1.3, 0.5, " So few fit it badly."),
        (200, 1.3, 0.5, ""),
        (
            49,
            1.3,
            0.5,
            " So few fit it badly: tfkd predict --calibrated and tfkd export leave it out.",
        ),
        (120, 0.5, 0.7, " So few fit it badly. Here it makes the NLL worse."),
        (500, 0.5, 0.7, " Here it makes the NLL worse."),
    ],
)
def test_it_is_said_where_it_is_worth_little(images, temperature, nll, more):
    lines = on_temperature(images, temperature, metrics(0.6), metrics(nll))
    start = f"T, fitted on {images} validation images, divides the logits."
    assert " ".join(lines) == f"{start}{more}"
    assert max(map(len, lines)) <= 80


def test_one_that_leaves_nothing_of_the_logits_is_no_number_to_look_at():
    assert heading_of(8.9e6).strip() == "after T > 1000"
    assert heading_of(1.25).strip() == "after T = 1.25"
    assert "worth nothing" in " ".join(on_temperature(500, 8.9e6))
    assert "So few fit it badly" in " ".join(on_temperature(2, 8.9e6))
