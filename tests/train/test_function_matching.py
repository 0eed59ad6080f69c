"""A teacher sees the very pixels of its student."""

from __future__ import annotations

import torch
from own_parts import Watched
from safetensors.torch import save_file

from tfkd.data import DataSettings
from tfkd.runs import MethodSettings, Recipe, RunSettings, WeightsTeacher
from tfkd.train import train_run


def shown(path, monkeypatch, **mixing):
    """What student and teacher were shown in training, batch by batch."""
    monkeypatch.setattr(Watched, "shown", [])
    torch.manual_seed(1)
    save_file(Watched(10).state_dict(), f"{path}.safetensors")
    data = DataSettings("digits", train_size=60)
    recipe = Recipe(data=data, student="own_parts:watched", epochs=1, batch_size=20, **mixing)
    teacher = WeightsTeacher(model="own_parts:watched", weights=f"{path}.safetensors")
    train_run(path, RunSettings(recipe, MethodSettings("function_matching"), teacher=teacher))
    # The student looks first and its teacher next; when the run is measured, nobody is trained.
    at = [at for at, (trained, _) in enumerate(Watched.shown) if trained]
    return [(Watched.shown[i][1], Watched.shown[i + 1][1]) for i in at]


def test_the_teacher_gets_the_mixed_pixels(tmp_path, monkeypatch):
    plain = shown(tmp_path / "plain", monkeypatch)
    for name in ("mixup", "cutmix"):
        mixed = shown(tmp_path / name, monkeypatch, **{name: 1.0})
        assert len(mixed) == len(plain) == 3
        for (by_student, by_teacher), (unmixed, _) in zip(mixed, plain, strict=True):
            assert torch.equal(by_student, by_teacher)
            assert (by_student != unmixed).flatten(1).any(1).sum() > len(unmixed) / 2
