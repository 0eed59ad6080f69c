"""The lines of docs/calibration.md, run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

DOCS = Path(__file__).parents[2] / "docs" / "calibration.md"


def test_the_documented_lines_calibrate_a_network(capsys):
    generator = torch.Generator().manual_seed(0)
    network = torch.nn.Linear(4, 4)
    with torch.no_grad():
        network.weight.copy_(6.0 * torch.eye(4))
        network.bias.zero_()

    def batches():
        for _ in range(6):
            images = torch.randn(50, 4, generator=generator)
            # The labels are those of its logits divided by 4.
            yield images, (1.5 * images).softmax(1).multinomial(1, generator=generator)[:, 0]

    names = {"network": network}
    names |= {"validation_batches": [*batches()], "test_batches": [*batches()]}
    for block in re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    assert float(names["calibrated"][1].temperature) == pytest.approx(4.0, rel=0.3)
    said = capsys.readouterr().out
    assert "'smooth_ece': " in said and "CalibrationBand(value=" in said
