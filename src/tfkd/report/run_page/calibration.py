"""What one temperature makes of a run's network, told before and after."""

from __future__ import annotations

from dataclasses import replace

from tfkd.calibration import fit_temperature
from tfkd.report.number_text import number_of, percent, without_plus
from tfkd.report.pictures.answers import Answers
from tfkd.report.run_page.run_data import RunOnPage
from tfkd.report.tables import Table, Value
from tfkd.train.trained.calibration import Band, Calibration

_ROWS = (
    ("NLL, nats", "nll", 1.0),
    ("ECE, %", "ece", 100.0),
    ("smooth ECE, %", "smooth_ece", 100.0),
    ("Brier score", "brier", 1.0),
    ("AURC, %", "aurc", 100.0),
    ("AUGRC, %", "augrc", 100.0),
)


def temperature_of_page(run: RunOnPage) -> tuple[float | None, str]:
    """Return the temperature that was fitted on the validation images, and a sentence on it.

    That of the result; of a run of 0.1, whose result has none, it is fitted now, where its network
    can be asked about them.
    """
    if run.identity is not None and run.identity.samples["validation"] == 0:
        return None, "It has no validation images, on which a temperature would be fitted."
    if run.result is not None and run.result.calibrated is not None:
        images = number_of(run.result.samples.validation, "validation image")
        return run.result.calibrated.temperature, f"fitted on the {images}"
    asked = run.validation
    if asked is None:
        return None, "No temperature: its validation images, on which one is fitted, are not there."
    images = number_of(len(asked), "validation image")
    return fit_temperature(asked.logits, asked.labels), f"fitted on {images} now"


def tempered(answers: Answers, temperature: float) -> Answers:
    """Return what a network says after a temperature."""
    return replace(answers, logits=answers.logits.double() / temperature)


def in_words(before: dict[str, float], found: Calibration, where: str) -> str:
    """Return what the temperature does, or why there is none.

    Args:
        before: metrics as the logits come.
        found: with those after the temperature, if there is one.
        where: it was fitted.
    """
    after = found.metrics
    if found.temperature is None or after is None:
        return found.why
    size = found.temperature
    does = "makes it less sure" if size > 1.0 else "makes it surer"
    return (
        f"One temperature, T = {size:.3g}, {where}, {does}. It divides the logits, and leaves the "
        f"classes as they are: NLL {without_plus(before['nll'], 3)} becomes "
        f"{without_plus(after.nll, 3)}, ECE {percent(before['ece'], 2)} becomes "
        f"{percent(after.ece, 2)}."
    )


def facts_of(found: Calibration) -> tuple[tuple[str, str], ...]:
    """Return the error of calibration with its interval, and what chance alone would give."""
    facts = [("smooth ECE", _band(found.before))]
    if found.after is not None and found.temperature is not None:
        facts.append((f"after T = {found.temperature:.3g}", _band(found.after)))
    return tuple(facts)


def _band(band: Band) -> str:
    verdict = "more than" if band.value > band.chance else "no more than"
    return (
        f"{percent(band.value, 2)} (95 % interval {without_plus(100 * band.low)} to "
        f"{percent(band.high, 2)}), {verdict} the {percent(band.chance, 2)} that a calibrated "
        "network stays below in 95 of 100 cases"
    )


def table_of(before: dict[str, float], found: Calibration) -> Table:
    """Return every metric that a temperature may change.

    Args:
        before: as the logits come.
        found: with those after the temperature, if there is one.
    """
    rows: list[tuple[Value, ...]] = []
    for name, key, factor in _ROWS:
        after = None if found.metrics is None else getattr(found.metrics, key)
        rows.append((name, factor * before[key], None if after is None else factor * after))
    size = "" if found.temperature is None else f" = {found.temperature:.3g}"
    return Table(
        "As it comes, and after one temperature",
        ("test images", "as it comes", f"after T{size}"),
        tuple(rows),
    )
