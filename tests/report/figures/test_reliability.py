"""Reliability, told twice: its bins are those of the logits, and none is of a handful of images."""

import numpy as np
import pytest
import torch
from scipy import stats

from tfkd.report.figures import reliability
from tfkd.report.figures.merged_bins import LEAST_IMAGES
from tfkd.report.study_data import read_study
from tfkd.study.directory import run_directory

PLAIN = "small_cnn/cross_entropy"


@pytest.fixture(scope="module")
def figure(small_study):
    study, root, records = small_study
    runs = [record for record in records if record.arm == PLAIN]
    logits = [run_directory(root, run.run).test_logits() for run in runs]
    return reliability.draw(read_study(study, root)), runs, logits


@pytest.mark.parametrize("told", ["as it comes", "calibrated"])
def test_each_bin_is_of_the_images_between_its_edges(figure, told):
    drawing, runs, logits = figure
    rows = [dict(zip(drawing.table.columns, row, strict=True)) for row in drawing.table.rows]
    rows = [row for row in rows if (row["arm"], row["told"]) == ("cross-entropy", told)]
    confidence, right = [], []
    for run, (z, labels) in zip(runs, logits, strict=True):
        temperature = run.temperature if told == "calibrated" else 1.0
        p = (z.double() / temperature).softmax(1)
        confidence.append(p.max(1).values)
        right.append(z.argmax(1) == labels)
    confidence, right = torch.cat(confidence).numpy(), torch.cat(right).numpy()
    assert rows[0]["from"] == 0.0
    assert rows[-1]["to"] == 1.0
    assert [row["to"] for row in rows[:-1]] == [row["from"] for row in rows[1:]]
    for row in rows:
        inside = (confidence > row["from"]) & (confidence <= row["to"])
        images = inside.sum() / len(runs)
        assert row["images of one network"] == pytest.approx(images)
        assert images >= LEAST_IMAGES
        assert row["mean confidence"] == pytest.approx(confidence[inside].mean())
        assert row["accuracy"] == pytest.approx(right[inside].mean())
        # Of as many images as one network has: more seeds are the same images again.
        of_one = stats.binomtest(round(right[inside].sum() / len(runs)), round(images))
        ends = of_one.proportion_ci(method="wilson")
        assert (row["accuracy low"], row["accuracy high"]) == pytest.approx((ends.low, ends.high))


def test_there_is_a_panel_for_each_method_with_its_temperature(figure):
    drawing, runs, _ = figure
    plain, *_ = drawing.panels
    assert "cross-entropy" in plain
    assert f"T = {np.mean([run.temperature for run in runs]):.2f}" in plain
    assert len(drawing.panels) == 3
    assert not any("× 0.5" in panel for panel in drawing.panels)  # controls are in the numbers
    assert {row[1] for row in drawing.table.rows} > {"cross-entropy × 0.5"}
