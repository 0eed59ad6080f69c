import itertools
import re
import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tfkd

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_training_loop_learns(capsys):
    runpy.run_path(str(EXAMPLES / "training_loop.py"))
    printed = capsys.readouterr().out
    accuracy = float(re.search(r"'accuracy': ([\d.]+)", printed)[1])
    # 597 digits that it has not seen, by other writers; guessing gives 0.1.
    assert accuracy > 0.85
    assert "VirtualTeacher(confidence=0.99)" in printed


def numbers(name, printed):
    return [float(number) for number in re.findall(rf"'{name}': ([\d.]+)", printed)]


@pytest.mark.parametrize(
    ("example", "least"),
    [
        ("text_classification", [0.95]),  # without the word "not" half are right
        ("token_tagging", [0.95]),
        # Of all known pixels, and of those with ink, which are of one in ten classes.
        ("segmentation", [0.75, 0.3]),
    ],
)
def test_text_and_pixels_are_learnt(example, least, capsys):
    runpy.run_path(str(EXAMPLES / f"{example}.py"))
    found = numbers("accuracy", capsys.readouterr().out)
    assert len(found) == len(least)
    assert all(accuracy > bound for accuracy, bound in zip(found, least, strict=True)), found


@pytest.mark.long
def test_ultralytics_trains_with_the_criterion(tmp_path, monkeypatch):
    for name, value in {"YOLO_CONFIG_DIR": str(tmp_path), "YOLO_OFFLINE": "true"}.items():
        monkeypatch.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("ultralytics")
        names = runpy.run_path(str(EXAMPLES / "ultralytics_classify.py"))
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 40, 40, 3), dtype=np.uint8)
    for part, name in itertools.product(["train", "val"], ["one", "other"]):
        folder = tmp_path / "data" / part / name
        folder.mkdir(parents=True)
        for number, image in enumerate(pixels):
            Image.fromarray(image).save(folder / f"{number}.png")

    calls, call = [], names["BatchLoss"].__call__

    def watched(self, said, batch):
        loss, shown = call(self, said, batch)
        calls.append((said, batch["cls"], loss.item()))
        return loss, shown

    monkeypatch.setattr(names["BatchLoss"], "__call__", watched)
    settings = {"model": "yolo26n-cls.yaml", "data": str(tmp_path / "data"), "epochs": 1}
    quick = {"imgsz": 32, "batch": 8, "device": "cpu", "workers": 0, "plots": False}
    trainer = names["TaughtTrainer"](overrides={**settings, **quick, "project": str(tmp_path)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.train()

    training = [call for call in calls if isinstance(call[0], torch.Tensor)]
    validation = [call for call in calls if not isinstance(call[0], torch.Tensor)]
    assert len(training) == 2
    assert validation
    for logits, labels, loss in training:
        assert loss == pytest.approx(tfkd.tf_kd_reg()(logits, labels).item(), rel=1e-5)
        plain = torch.nn.functional.cross_entropy(logits, labels).item()
        assert loss != pytest.approx(plain, rel=1e-3)
    for (_, logits), labels, loss in validation:
        plain = torch.nn.functional.cross_entropy(logits, labels).item()
        assert loss == pytest.approx(plain, rel=1e-5)
    saved = torch.load(trainer.best, weights_only=False)
    assert type(saved["model"]).__module__.startswith("ultralytics.")
    assert saved["model"].criterion is None
