"""What the authors' own functions answer, against the references: `vectors/official.json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

FILE = Path(__file__).parent / "vectors" / "official.json"
OFFICIAL = json.loads(FILE.read_text(encoding="utf-8"))

Record = dict[str, Any]


def named(record: Record) -> str:
    settings = " ".join(f"{name}={value}" for name, value in record["settings"].items())
    return f"{record['method']}, {settings}, {record.get('batch', '')}"


# Of the batch "sheet": the value and the norm of the gradient, worked out apart from this code.
SHEET = {
    "cross-entropy": (1.27138709, 0.40791251),
    "label smoothing": (1.33888709, 0.36812517),
    "MaxSup": (1.39013709, 0.41021460),
    "margin smoothing": (1.32488709, 0.40942956),
    "confidence penalty": (1.14192063, 0.40852230),
    "focal": (0.62751470, 0.44633442),
    "FLSD-53": (0.47186848, 0.43742313),
    "dual focal": (0.95671624, 0.94970302),
    "LogitNorm": (8.69416976, 20.91462343),
    "Beta smoothing": (1.33044959, 0.32752431),
    "online label smoothing": (1.39763709, 0.31926971),
    "PS-KD": (1.29605376, 0.36157128),
    "KD": (0.34238056, 0.14311171),
    "decoupled KD": (2.34133921, 1.52047904),
    "normalised KD": (2.52511326, 0.28795980),
    "standardised KD": (3.12804400, 5.00825270),
    "TTM": (0.28383621, 0.17585555),
    "WTTM": (0.99184086, 0.61538008),
    "Zipf": (0.07383128, 0.09167515),
}


def of_sheet(f: ModuleType, name: str) -> Callable[[Any, int], complex]:
    """The formula behind a name, at the settings of the number."""
    batch = OFFICIAL["batches"]["sheet"]
    y, t, confidences = batch["y"], batch["t"], (0.95, 0.8, 0.6, 0.7)
    return {
        "cross-entropy": lambda z, i: f.cross_entropy(z, y[i]),
        "label smoothing": lambda z, i: f.label_smoothing(z, y[i], 0.1),
        "MaxSup": lambda z, i: f.max_sup(z, y[i], 0.1),
        "margin smoothing": lambda z, i: f.margin_label_smoothing(z, y[i], 0.1, 1.0),
        "confidence penalty": lambda z, i: f.confidence_penalty(z, y[i], 0.1),
        "focal": lambda z, i: f.focal(z, y[i], 3.0),
        "FLSD-53": lambda z, i: f.flsd_53(z, y[i]),
        "dual focal": lambda z, i: f.dual_focal(z, y[i], 5.0),
        "LogitNorm": lambda z, i: f.logit_norm(z, y[i], 0.04),
        "Beta smoothing": lambda z, i: f.beside(
            z, y[i], 0.6, f.beta_target(y[i], confidences[i], 5)
        ),
        "online label smoothing": lambda z, i: f.beside(z, y[i], 0.5, batch["by_class"][y[i]]),
        "PS-KD": lambda z, i: f.beside(z, y[i], 0.8 / 6.0, batch["by_sample"][i]),
        "KD": lambda z, i: f.kd(z, y[i], t[i], 0.1, 0.9, 4.0),
        "decoupled KD": lambda z, i: f.dkd(z, y[i], t[i], 1.0, 8.0, 4.0),
        "normalised KD": lambda z, i: f.nkd(z, y[i], t[i], 1.5, 1.0),
        "standardised KD": lambda z, i: 9.0 * f.standardised_kd(z, t[i], 2.0),
        "TTM": lambda z, i: f.ttm(z, t[i], 0.2),
        "WTTM": lambda z, i: f.ttm(z, t[i], 0.2, weighted=True),
        "Zipf": lambda z, i: f.zipf(z, y[i]),
    }[name]


@pytest.mark.parametrize("name", SHEET)
def test_the_reference_agrees_with_known_numbers(later: ModuleType, name: str) -> None:
    one = of_sheet(later, name)
    value, gradient = later.mean_and_gradient(
        lambda rows: [one(z, i) for i, z in enumerate(rows)],
        np.array(OFFICIAL["batches"]["sheet"]["z"]),
    )
    assert (value, np.linalg.norm(gradient)) == pytest.approx(SHEET[name], abs=1e-7)


WHOLE = [r for r in OFFICIAL["losses"] if r["method"] != "zipf, only of samples that are right"]


@pytest.mark.parametrize("record", WHOLE, ids=named)
def test_the_reference_is_what_the_authors_compute(later: ModuleType, record: Record) -> None:
    batch = OFFICIAL["batches"][record["batch"]]
    one = later.of_record(record, batch)
    value, gradient = later.mean_and_gradient(
        lambda rows: [one(z, i) for i, z in enumerate(rows)],
        np.array(batch["z"]),
    )
    # Two of them add 1e-8 to probabilities before they take the logarithm.
    off = 1e-6 if "1e-8" in record.get("note", "") else 1e-9
    assert value == pytest.approx(record["value"], abs=off)
    np.testing.assert_allclose(gradient, record["gradient"], rtol=0, atol=off)


def test_zipfs_option_counts_only_samples_that_are_right(later: ModuleType) -> None:
    """The mean is over those samples then, so the term of each is the larger the fewer they are."""
    for record in OFFICIAL["losses"]:
        if record["method"] == "zipf, only of samples that are right":
            batch = OFFICIAL["batches"][record["batch"]]
            right = [
                (z, y) for z, y in zip(batch["z"], batch["y"], strict=True) if np.argmax(z) == y
            ]
            terms = [later.zipf([complex(v) for v in z], y).real for z, y in right]
            assert np.mean(terms) == pytest.approx(record["value"], abs=1e-9)


TRAININGS = [r for r in OFFICIAL["trainings"] if r["method"] != "ols, as ported"]


@pytest.mark.parametrize("record", TRAININGS, ids=named)
def test_a_loop_by_hand_ends_where_the_authors_end(
    later: ModuleType, later_trainings: ModuleType, record: Record
) -> None:
    train = getattr(later_trainings, record["method"].partition("_fine_grained")[0])
    found = train(OFFICIAL["world"], later, **record["settings"])
    np.testing.assert_allclose(found.weights, record["weights"], rtol=0, atol=1e-9)
    for name in ("by_class", "by_sample"):
        if name in record:
            np.testing.assert_allclose(found.state, record[name], rtol=0, atol=1e-9)
    if "average" in record:
        np.testing.assert_allclose(found.state[-1], record["average"], rtol=0, atol=1e-9)


def test_where_official_codes_of_ols_differ() -> None:
    """Three starts are in use; the first epoch tells them apart for good."""
    ends = {
        record["settings"]["start"]: np.array(record["weights"])
        for record in OFFICIAL["trainings"]
        if record["settings"].get("start") and record["method"].startswith("ols")
    }
    assert set(ends) == {"zeros", "uniform", "smoothed labels"}
    assert np.abs(ends["zeros"] - ends["uniform"]).max() > 0.01
    assert np.abs(ends["smoothed labels"] - ends["uniform"]).max() > 0.01
