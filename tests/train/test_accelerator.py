"""What Accelerate would not do is refused before any work."""

import pytest
import torch

from tfkd.data import DataSettings
from tfkd.runs import Recipe, RunSettings
from tfkd.train import train_run


@pytest.mark.skipif(torch.accelerator.is_available(), reason="it would run on the accelerator")
def test_fp16_on_a_cpu_is_refused(tmp_path):
    data = DataSettings("digits", train_size=60)
    settings = RunSettings(Recipe(data=data, mixed_precision="fp16"))
    with pytest.raises(ValueError, match="a GPU for `mixed_precision` fp16, got a CPU"):
        train_run(tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()
