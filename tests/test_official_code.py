"""What the authors' own functions answer, against the references: `vectors/official.json`."""

from __future__ import annotations

import json
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
