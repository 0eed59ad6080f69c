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


def formula(f: ModuleType, record: Record) -> Callable[[Any, int], complex]:
    """The published formula of a record, of row i of its batch."""
    batch, s = OFFICIAL["batches"][record["batch"]], record["settings"]
    y, t = batch["y"], batch.get("t")
    k = len(batch["z"][0])
    drawn = record.get("drawn")
    b = drawn and f.beta_targets(
        [f.probabilities(row)[c] for row, c in zip(t, y, strict=True)], drawn
    )
    return {
        "kd": lambda z, i: f.kd(z, y[i], t[i], **s),
        "cs_kd": lambda z, i: f.kd(z, y[i], t[i], 1.0, s["added"], s["temperature"]),
        "mean_teacher": lambda z, i: f.kd(z, y[i], t[i], 1.0, s["added"], 1.0),
        "dkd": lambda z, i: f.dkd(z, y[i], t[i], **s),
        "nkd": lambda z, i: f.nkd(z, y[i], t[i], **s),
        "standardised kd": lambda z, i: (
            s["label"] * f.cross_entropy(z, y[i])
            + s["teacher"] * f.standardised_kd(z, t[i], s["temperature"])
        ),
        "standardised dkd": lambda z, i: f.dkd(
            f.standardised(z), y[i], f.real(f.standardised(t[i])), **s
        ),
        "ttm": lambda z, i: f.ttm(z, t[i], s["power"]),
        "wttm": lambda z, i: f.ttm(z, t[i], s["power"], weighted=True),
        "zipf": lambda z, i: f.zipf(z, y[i]),
        "max_sup": lambda z, i: f.max_sup(z, y[i], s["weight"]),
        "margin_label_smoothing": lambda z, i: f.margin_label_smoothing(z, y[i], **s),
        "confidence_penalty": lambda z, i: f.confidence_penalty(z, y[i], s["weight"]),
        "confidence penalty, divided by the classes": lambda z, i: f.confidence_penalty(
            z, y[i], s["weight"] / k
        ),
        "focal": lambda z, i: f.focal(z, y[i], s["gamma"]),
        "flsd_53": lambda z, i: f.flsd_53(z, y[i]),
        "dual_focal": lambda z, i: f.dual_focal(z, y[i], s["gamma"]),
        "logit_norm": lambda z, i: f.logit_norm(z, y[i], s["temperature"]),
        "instance-specific label smoothing": lambda z, i: f.beside(
            z, y[i], s["alpha"], f.probabilities(t[i], s["temperature"])
        ),
        "beta smoothing": lambda z, i: f.beside(z, y[i], s["alpha"], f.beta_target(y[i], b[i], k)),
        "ps_kd": lambda z, i: f.beside(z, y[i], s["alpha"], batch["by_sample"][i]),
        "ols": lambda z, i: f.beside(z, y[i], s["alpha"], batch["by_class"][y[i]]),
        "ols, fine-grained": lambda z, i: (
            s["scale"] * f.beside(z, y[i], s["alpha"], batch["by_class"][y[i]])
        ),
    }[record["method"]]


def named(record: Record) -> str:
    settings = " ".join(f"{name}={value}" for name, value in record["settings"].items())
    return f"{record['method']}, {settings}, {record.get('batch', '')}"


WHOLE = [r for r in OFFICIAL["losses"] if r["method"] != "zipf, only of samples that are right"]


@pytest.mark.parametrize("record", WHOLE, ids=named)
def test_the_reference_is_what_the_authors_compute(later: ModuleType, record: Record) -> None:
    one = formula(later, record)
    value, gradient = later.mean_and_gradient(
        lambda rows: [one(z, i) for i, z in enumerate(rows)],
        np.array(OFFICIAL["batches"][record["batch"]]["z"]),
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
    train = getattr(later_trainings, record["method"])
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
        if record["method"].startswith("ols")
    }
    assert set(ends) == {"zeros", "uniform", "smoothed labels"}
    assert np.abs(ends["zeros"] - ends["uniform"]).max() > 0.01
    assert np.abs(ends["smoothed labels"] - ends["uniform"]).max() > 0.01
