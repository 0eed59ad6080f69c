"""A method, a network and data of one's own are compared and reported as those of the table."""

import json
import os
import subprocess
import sys

import pytest
from split_off import Program, command, written

from tfkd.study.asked import folder_of

LOSSES = '''
import tfkd

def my_method(*, alpha: float = 0.2, sharpness: float = 3.0, **options) -> tfkd.DistillationLoss:
    """Taught by a virtual teacher of a sharpness of its own."""
    return tfkd.DistillationLoss(
        tfkd.VirtualTeacher(confidence=0.9), alpha=alpha, temperature=sharpness, **options
    )

def my_kd(model, *, alpha: float = 0.3, **options) -> tfkd.DistillationLoss:
    """Taught by the larger network."""
    return tfkd.knowledge_distillation(model, alpha=alpha, temperature=2.0, **options)
'''
MODELS = """
from torch import nn

def my_network(*, num_classes: int, in_channels: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64 * in_channels, num_classes))

def my_larger_network(*, num_classes: int, in_channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64 * in_channels, 32), nn.ReLU(), nn.Linear(32, num_classes)
    )
"""
DATA = """
import torch
from tfkd.data import Augmentation, Source
from tfkd.data.images import MemoryImages

def my_data(root: str | None) -> Source:
    generator = torch.Generator().manual_seed(0)
    def images(n):
        labels = torch.arange(n) % 4
        pixels = torch.randint(0, 60, (n, 1, 8, 8), generator=generator)
        pixels[torch.arange(n), 0, labels] += 150
        return MemoryImages(pixels.to(torch.uint8), labels)
    return Source(
        classes=("a", "b", "c", "d"), train=images(80), test=images(40), mean=(0.2,), std=(0.2,),
        image_size=8, augmentation=Augmentation(),
    )
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The folder of a package that is installed nowhere."""
    folder = tmp_path_factory.mktemp("own")
    package = folder / "toy"
    package.mkdir()
    for name, text in {"__init__": "", "losses": LOSSES, "models": MODELS, "data": DATA}.items():
        (package / f"{name}.py").write_text(text)
    return folder


def test_a_toy_method_is_compared_and_reported(toy, tmp_path):
    out = tmp_path / "study"
    path = os.pathsep.join(filter(None, [str(toy), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(  # as a user does
        [
            *(sys.executable, "-m", "tfkd.cli", "compare", "--out", out),
            *("--data", "toy.data:my_data"),
            *("--student", "toy.models:my_network", "--teacher", "toy.models:my_larger_network"),
            *("--methods", "tf_kd_reg,toy.losses:my_method,toy.losses:my_kd"),
            *("--epochs", "2", "--batch-size", "16", "--seeds", "2", "--jobs", "2"),
        ],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "my method" in done.stdout
    lines = (out / "compare.jsonl").read_text().splitlines()
    records = {(r["method"], r["student"], r["seed"]): r for r in map(json.loads, lines)}
    mine = records["toy.losses:my_method", "toy.models:my_network", 1]
    assert mine["settings"]["method"] == {
        "name": "toy.losses:my_method",
        "dialect": "tfkd",
        "numbers": {"alpha": 0.2, "sharpness": 3.0, "scale": 1.0},
    }
    taught = records["toy.losses:my_kd", "toy.models:my_network", 0]
    assert taught["teacher"] == "toy.models:my_larger_network"
    report = command("report", out, known=[toy])
    assert report.returncode == 0, report.stderr
    page = (out / "compare.md").read_text()
    assert "my method" in page
    assert "my kd" in page


def test_a_toy_method_is_trained_with_other_numbers_from_a_file(toy, tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text(
        "method:\n  name: toy.losses:my_method\n  numbers: {alpha: 0.4, sharpness: 2}\n"
        "data: toy.data:my_data\nstudent: toy.models:my_network\nepochs: 1\n"
    )
    done = command("train", "--out", tmp_path / "run", "--config", config, known=[toy])
    assert done.returncode == 0, done.stderr
    stored = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert stored["method"]["numbers"] == {"alpha": 0.4, "sharpness": 2.0, "scale": 1.0}


def test_without_the_package_a_run_says_what_it_misses(toy, tmp_path):
    words = ("--data", "toy.data:my_data", "--student", "toy.models:my_network", "--epochs", "1")
    assert command("train", "--out", tmp_path / "run", *words, known=[toy]).returncode == 0
    done = command("evaluate", tmp_path / "run")
    assert done.returncode == 2
    assert "a module toy" in done.stderr
    assert done.stderr.count("\n") == 1


def test_two_methods_of_one_name_are_two_methods(tmp_path):
    methods = ["toy_a.losses:mine", "toy_b.losses:mine", "toy_a.losses:tf_kd_reg", "tf_kd_reg"]
    folders = {"toy_a.losses.mine", "toy_b.losses.mine", "toy_a.losses.tf_kd_reg", "tf_kd_reg"}
    assert {folder_of(method) for method in methods} == folders
    for name in ("toy_a", "toy_b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "losses.py").write_text(
            "import tfkd\n"
            "def mine(*, alpha: float = 0.2, **options) -> tfkd.DistillationLoss:\n"
            "    return tfkd.label_smoothing(alpha=alpha, **options)\n"
            "tf_kd_reg = mine\n"
        )
    program = (
        "import sys; from tfkd.runs import Recipe; from tfkd.study.comparison import comparison\n"
        "sys.path.insert(0, folder)\n"
        "study = comparison(Recipe(), teacher='wide_cnn', methods=methods, seeds=1)\n"
        "print(*(arm.method.name for arm in study.arms))"
    )
    file = written(tmp_path / "program.py", program)
    said = Program(file, folder=str(tmp_path), methods=methods).finish()
    assert set(said.split()) == {"cross_entropy", *methods}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise RuntimeError('of its own')", "RuntimeError: of its own"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def (", "SyntaxError: "),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_its_reason(text, message, tmp_path):
    (tmp_path / "broken_part.py").write_text(text)
    words = ("train", "--out", tmp_path / "run", "--method", "broken_part:mine")
    done = command(*words, known=[tmp_path])
    assert done.returncode == 2
    assert "to import broken_part for broken_part:mine, but it ends with" in done.stderr
    assert message in done.stderr
    assert not (tmp_path / "run").exists()
