"""What is exported answers as the run does, wherever it is loaded; what does not is not there."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
import timm
import torch
from PIL import Image
from safetensors import safe_open

from tfkd.runs import make_run
from tfkd.train import export_run, load, train_run
from tfkd.train.trained.export.description import preprocessing
from tfkd.train.trained.export.export import FORMATS, TOLERANCE
from tfkd.train.trained.export.preparing import prepare_text
from tfkd.train.trained.export.safetensors import Safetensors

NO_FOLDERS = "this timm does not know local-dir, which is of 1.0.16"
SIZE = 32
DOCS = Path(__file__).parents[3] / "docs" / "export.md"


@pytest.fixture(scope="module")
def exported(photographs, tmp_path_factory):
    """A folder with an export in each format, and in it a photograph and the run."""
    place = tmp_path_factory.mktemp("exported")
    for name, format in zip(("weights", "program", "graph"), FORMATS, strict=True):
        done = export_run(photographs.run, format=format, out=place / name, least_images=1)
        assert done.difference <= done.allowed
    # A cut-out, which `.convert("RGB")` shows as another picture.
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 256, (6, 9, 4)), np.ones((9, 9, 1))).astype(np.uint8)
    for name in ("weights", "program", "graph", "."):
        Image.fromarray(pixels).save(place / name / "photo.jpg", "PNG")
    (place / "RUN").symlink_to(photographs.run)
    return place


@pytest.fixture
def run_lines(monkeypatch):
    """Run lines of Python in an exported folder, as somebody does who has gone there."""

    def run(folder, lines):
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, "prepare", raising=False)
        variables = {}
        exec(lines, variables)
        sys.modules.pop("prepare", None)
        return variables

    return run


@pytest.fixture
def knows_folders():
    """Skip for a timm that loads no folder."""
    try:
        timm.models.parse_model_name("local-dir:x")
    except (AssertionError, ValueError):
        pytest.skip(NO_FOLDERS)


@pytest.fixture
def images():
    """Other images than those that the check has looked at: five of them."""
    return torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_plain_timm_loads_the_weights_in_one_line(exported, photographs, images, knows_folders):
    trained = load(photographs.run)
    wanted = trained.logits(images)
    weights = exported / "weights" / "model.safetensors"
    by_name = timm.create_model("test_efficientnet", num_classes=7, checkpoint_path=str(weights))
    by_folder = timm.create_model(f"local-dir:{exported / 'weights'}", pretrained=True)
    for network in (by_name, by_folder):
        assert torch.equal(network.eval()(images), wanted)
    assert by_folder.pretrained_cfg["label_names"] == list(trained.classes)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(by_folder))
    for file in sorted((photographs.folder / "test" / "gnu").iterdir())[:3]:
        shown = transform(Image.open(file))
        torch.testing.assert_close(shown, trained.preprocess(file), rtol=0, atol=1e-6)
    with safe_open(weights, "pt") as content:
        assert json.loads(content.metadata()["classes"]) == list(trained.classes)


def test_the_program_takes_any_number_of_images_of_its_size(exported, photographs, images):
    extra = {"classes.json": "", "preprocessing.json": ""}
    file = exported / "program" / "model.pt2"
    network = torch.export.load(file, extra_files=extra).module()
    wanted = load(photographs.run).logits(images)
    for number in (1, 2, 5):
        torch.testing.assert_close(network(images[:number]), wanted[:number], rtol=1e-4, atol=1e-4)
    with pytest.raises(Exception, match="32"):
        network(torch.zeros(1, 3, 64, 64))
    assert json.loads(extra["classes.json"])[6] == "gnu"
    assert json.loads(extra["preprocessing.json"])["image_size"] == 32


def test_the_graph_takes_any_number_of_images_of_its_size(exported, photographs, images):
    file = exported / "graph" / "model.onnx"
    onnx.checker.check_model(onnx.load(file))
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    wanted = load(photographs.run).logits(images).numpy()
    for number in (1, 2, 5):
        (logits,) = session.run(["logits"], {"images": images[:number].numpy()})
        np.testing.assert_allclose(logits, wanted[:number], rtol=1e-4, atol=1e-4)
    with pytest.raises(Exception, match="dimensions"):
        session.run(["logits"], {"images": np.zeros((1, 3, 64, 64), dtype=np.float32)})
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"])[0] == "ant"


def test_what_lies_beside(exported, photographs):
    data = json.loads((photographs.run / "data.json").read_text())
    result = json.loads((photographs.run / "result.json").read_text())
    for name in ("weights", "program", "graph"):
        said = json.loads((exported / name / "preprocessing.json").read_text())
        assert (said["mean"], said["std"]) == (data["mean"], data["std"])
        assert (said["image_size"], said["channels"], said["fit"]) == (32, 3, "centre-crop")
        assert json.loads((exported / name / "classes.json").read_text()) == data["classes"]
        card = json.loads((exported / name / "model.json").read_text())
        assert card["test"] == result["test"]
        assert card["temperature"] == result["calibrated"]["temperature"]
        assert card["calibrated_test"] == result["calibrated"]["test"]
        assert card["student"] == "timm/test_efficientnet"
        assert card["checked"]["largest_difference_of_logits"] <= card["checked"]["allowed"]
    assert not list(exported.glob(".*"))


def lines_of(folder):
    """The lines of Python in a folder's README.txt."""
    text = (folder / "README.txt").read_text()
    assert max(map(len, text.split("\n    ")[0].splitlines())) <= 80
    return "\n".join(line[4:] for line in text.splitlines() if line.startswith("    ") or not line)


@pytest.mark.parametrize("name", ["weights", "program", "graph"])
def test_the_lines_of_the_readme_answer_of_an_image(
    exported, photographs, run_lines, capsys, knows_folders, name
):
    trained = load(photographs.run)
    wanted = trained.logits(trained.preprocess(exported / "photo.jpg")[None])
    lines = lines_of(exported / name)
    other = 'timm.create_model("local-dir:.", pretrained=True)'
    for loaded in (lines, lines.replace(f"# network = {other}", f"network = {other}")):
        found = run_lines(exported / name, loaded)
        logits = torch.as_tensor(found["logits"])
        assert not logits.requires_grad
        torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)
        said = capsys.readouterr().out
        assert said.startswith(f"['{trained.classes[wanted.argmax()]}'] [")
        after = (wanted / trained.temperature).double().softmax(1).max().item()
        assert float(said.split("[")[2].strip("]\n")) == pytest.approx(after, rel=1e-3)
    assert (other in lines) == (name == "weights")


@pytest.mark.usefixtures("knows_folders")
def test_the_documented_lines_answer_of_an_image(exported, photographs, run_lines, capsys):
    text = DOCS.read_text(encoding="utf-8")
    documented, here = '"resnet18", num_classes=37', '"test_efficientnet", num_classes=7'
    assert documented in text
    text = text.replace(documented, here).replace(
        "calibrated=True", "calibrated=True, least_images=1"
    )
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    places = ["weights", "weights", "program", "graph", "graph", "."]
    trained = load(photographs.run)
    wanted = trained.logits(trained.preprocess(exported / "photo.jpg")[None])
    best = trained.classes[wanted.argmax()]
    for block, place in zip(blocks, places, strict=True):
        found = run_lines(exported / place, block)
        logits = torch.as_tensor(found["logits"]).detach()
        torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-4)
    assert found["prediction"].classes[0][0] == best
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [best, best] and said[3].startswith(f"(('{best}', ")
    after = (wanted / trained.temperature).double().softmax(1).max().item()
    assert float(said[2].strip("[]")) == pytest.approx(after, rel=1e-3)
    assert found["prediction"].classes[0] == (best, pytest.approx(after, rel=1e-3))


def write_strange_images(folder, rng):
    """Images that `Image.open(file).convert("RGB")` shows otherwise than a viewer, and others."""
    noise = rng.integers(0, 256, (60, 43, 4), dtype=np.uint8)
    colours = Image.fromarray(noise[:, :, :3])
    turned, palette = Image.Exif(), colours.quantize(16)
    turned[0x0112] = int(rng.integers(2, 9))
    wide = rng.integers(0, 65536, (60, 43), dtype=np.uint16)
    long = rng.integers(0, 256, (20, 400, 3), dtype=np.uint8)
    for name, image, options in (
        ("transparent.png", Image.fromarray(noise), {}),
        ("grey-transparent.png", Image.fromarray(noise).convert("LA"), {}),
        ("turned.jpg", colours, {"exif": turned}),
        ("16-bit.png", Image.fromarray(wide), {}),
        ("16-bit-clear.png", Image.fromarray(wide), {"transparency": int(wide[0, 0])}),
        ("16-bit.tiff", Image.fromarray(wide), {}),
        ("cmyk.jpg", colours.convert("CMYK"), {}),
        ("palette.gif", palette, {}),
        ("palette-clear.png", palette, {"transparency": 3}),
        ("grey.png", colours.convert("L"), {"transparency": int(noise[0, 0, 0])}),
        ("two-tone.png", colours.convert("1"), {}),
        ("plain.png", colours, {"transparency": tuple(noise[0, 0, :3].tolist())}),
        ("long.png", Image.fromarray(long), {}),
        ("high.png", Image.fromarray(long.transpose(1, 0, 2).copy()), {}),
    ):
        image.save(folder / name, **options)
        yield folder / name


@pytest.mark.parametrize("fit", ["centre-crop", "squash", "square"])
@pytest.mark.parametrize("channels", [3, 1])
def test_prepare_gives_the_pixels_of_the_run(photographs, tmp_path, drawn_seed, fit, channels):
    trained = load(photographs.run)
    rng = np.random.default_rng([drawn_seed, channels])
    files = list(write_strange_images(tmp_path, rng))
    identity = trained.identity
    numbers = {"mean": identity.mean[:channels], "std": identity.std[:channels]}
    for fraction, interpolation in ((0.875, "bicubic"), (1.0, "bilinear"), (1.3, "bilinear")):
        seen = msgspec.structs.replace(
            identity,
            channels=channels,
            fit=fit,
            crop_fraction=fraction,
            interpolation=interpolation,
            **numbers,
        )
        (tmp_path / "prepare.py").write_text(prepare_text())
        (tmp_path / "preprocessing.json").write_text(json.dumps(preprocessing(seen)))
        prepare = runpy.run_path(str(tmp_path / "prepare.py"))["prepare"]
        found = prepare(*files)
        assert found.dtype == np.float32
        assert found.shape == (len(files), channels, SIZE, SIZE)
        wanted = torch.stack([replace(trained, identity=seen).preprocess(file) for file in files])
        # Of the small data sets torch resizes, whose roundings differ.
        step = 1.01 / 255 / min(seen.std) if fit == "square" else 0.0
        torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=0, atol=step)


def test_what_prepares_otherwise_is_not_there(photographs, tmp_path, monkeypatch):
    text = prepare_text()
    assert "import tfkd" not in text and "from tfkd" not in text
    white = "(255, 255, 255, 255)"
    assert white in text
    wrong = text.replace(white, "(0, 0, 0, 255)")
    monkeypatch.setattr("tfkd.train.trained.export.export.prepare_text", lambda: wrong)
    with pytest.raises(
        ValueError, match=r"the run gives, got others of transparent\.png\. Nothing"
    ):
        export_run(photographs.run, format="safetensors", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_networks_of_this_package(tmp_path, run_lines):
    """The run that is kept in results/, of a small network on grey digits."""
    run = Path(__file__).parents[3] / "results" / "one-run"
    trained = load(run)
    done = export_run(run, format="safetensors", out=tmp_path / "new" / "weights")
    assert sorted(path.name for path in done.folder.iterdir()) == [
        "README.txt",
        "classes.json",
        "model.json",
        "model.safetensors",
        "prepare.py",
        "preprocessing.json",
    ]
    Image.linear_gradient("L").resize((8, 8)).save(done.folder / "photo.jpg", "PNG")
    wanted = trained.logits(trained.preprocess(done.folder / "photo.jpg")[None])
    assert torch.equal(run_lines(done.folder, lines_of(done.folder))["logits"], wanted)


@pytest.mark.parametrize("off", [10.0, float("nan")])
def test_a_check_that_fails_leaves_nothing(photographs, tmp_path, monkeypatch, off):
    right = Safetensors.logits

    def wrong(self, trained, folder, images):
        *others, last = right(self, trained, folder, images)
        return [*others, last + off * TOLERANCE * max(last.abs().max().item(), 1.0)]

    monkeypatch.setattr(Safetensors, "logits", wrong)
    with pytest.raises(ValueError, match="Nothing was written"):
        export_run(photographs.run, format="safetensors", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_written_over(photographs, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    for out in (tmp_path / "out", tmp_path / "out" / "mine.txt"):
        with pytest.raises(ValueError, match="`out` to be a new or empty folder"):
            export_run(photographs.run, format="safetensors", out=out)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]
    (tmp_path / "empty").mkdir()
    export_run(photographs.run, format="safetensors", out=tmp_path / "empty")
    assert (tmp_path / "empty" / "config.json").is_file()


def test_a_missing_package_is_said_at_once(photographs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModuleNotFoundError, match=r'onnxruntime: pip install "tfkd\[export\]"'):
        export_run(photographs.run, format="onnx", out=tmp_path / "out")
    with pytest.raises(ValueError, match="Did you mean onnx"):
        export_run(photographs.run, format="onxn", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_cannot_be_traced(photographs, tmp_path):
    settings, circumstances = make_run(
        {
            "data": "digits",
            "student": "untraceable:deciding",
            "epochs": 1,
            "train_size": 60,
            "batch_size": 30,
        }
    )
    train_run(tmp_path / "run", settings, circumstances)
    for format in ("torch-export", "onnx"):
        with pytest.raises(ValueError, match=r"untraceable:deciding.*exported as safetensors"):
            export_run(tmp_path / "run", format=format, out=tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    done = export_run(tmp_path / "run", format="safetensors", out=tmp_path / "out")
    assert done.difference == 0.0
    shutil.rmtree(tmp_path / "run")
