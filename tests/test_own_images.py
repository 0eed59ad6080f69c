"""The page on a classifier of one's own images, run as it stands but for network and length."""

from __future__ import annotations

import csv
import random
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tfkd.cli import main
from tfkd.models import create_model
from tfkd.runs.tensors import save_tensors

PAGE = Path(__file__).parents[1] / "docs" / "own-images.md"
PHOTOGRAPHS = 12


def photographs(folder: Path, numbers: np.random.Generator) -> None:
    """Two classes that differ in brightness, of mixed sizes."""
    for number in range(PHOTOGRAPHS):
        for name, least in (("dark", 0), ("light", 128)):
            height, width = numbers.integers(60, 120, 2)
            pixels = numbers.integers(least, least + 128, (height, width, 3), dtype=np.uint8)
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / name / f"{number}.jpg")


def tables(folder: Path) -> None:
    """Several labels of each photograph, in the page's two forms."""
    photos = sorted((folder / "photos").rglob("*.jpg"))
    tags, findings = ["path,tags"], ["path,edema,effusion,fracture"]
    for number, photo in enumerate(photos):
        there = [number % 2, number % 3 == 0, photo.parent.name == "dark"]
        path = photo.relative_to(folder)
        names = [name for name, has in zip(("clear", "haze", "water"), there, strict=True) if has]
        tags.append(f"{path},{' '.join(names)}")
        said = [int(has) for has in there]
        said[number % 3] = -1  # nobody knows
        findings.append(",".join(map(str, [path, *said])))
    (folder / "tags.csv").write_text("\n".join(tags), encoding="utf-8")
    (folder / "findings.csv").write_text("\n".join(findings), encoding="utf-8")


@pytest.mark.long
def test_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chance: random.Random
) -> None:
    numbers = np.random.default_rng(chance.getrandbits(32))
    photographs(tmp_path / "photos", numbers)
    photographs(tmp_path / "new_photos", numbers)
    tables(tmp_path)
    image = numbers.integers(0, 256, (90, 70, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "new_photos" / "first.jpg")
    monkeypatch.chdir(tmp_path)
    # In place of what timm would download.
    start = create_model("timm/test_resnet", num_classes=5)
    save_tensors(tmp_path / "start.safetensors", start.state_dict())

    text = PAGE.read_text(encoding="utf-8")
    lines = re.findall(r"^ {4}tfkd (.*)$", text.replace("\\\n", ""), re.MULTILINE)
    assert len(lines) == 9
    for number, line in enumerate(lines):
        words = line.replace("--pretrained", "--weights start.safetensors --epochs 1 --bs 8")
        words = words.replace("timm/resnet50", "timm/test_resnet")
        words = words.replace("--calibrated", "--calibrated --least-images 1")
        if "--labels" in words:  # the page trains one network, this test all three
            words = words.replace("--out run", f"--out run-{number}")
        if "--student" not in words and words.startswith("train"):
            words += " --student timm/test_resnet --epochs 1 --bs 8"
        assert main(shlex.split(words)) == 0
    assert (tmp_path / "run" / "report.html").is_file()
    assert (tmp_path / "model" / "model.onnx").is_file()
    of_several = [file.parent.name for file in Path().glob("run-*/result.json")]
    assert len(of_several) == 2
    for run in of_several:  # as above, the page says
        for words in (f"evaluate {run}", f"predict {run} new_photos --csv {run}.csv"):
            assert main(words.split()) == 0
    with Path("answers.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 2 * PHOTOGRAPHS + 1
    assert len(list(Path("runs").rglob("result.json"))) == 3 * 10

    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert {name for name, _ in names["answer"].classes} == {"dark", "light"}
