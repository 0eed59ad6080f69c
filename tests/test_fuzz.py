"""Each of our own readers on files that are broken: it refuses them as documented, nothing else.

Valid files are changed by a seed: bits, bytes, lengths, pieces of other files, and the values
within JSON. Only the documented errors may come out; no process, connection or import may start;
memory stays bounded.
"""

import contextlib
import copy
import hashlib
import io
import json
import os
import pickle
import random
import resource
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from few import in_full
from PIL import Image
from scipy.io import savemat

from tfkd.cli.commands import COMMANDS
from tfkd.cli.parser import UsageError, parse
from tfkd.data import DataSettings, Places
from tfkd.data.image_files import check_images, read_rgb
from tfkd.data.image_files.reading import prepare_decoders
from tfkd.data.places import cache_folder
from tfkd.data.sources.folder import load_folder
from tfkd.data.sources.imagenet import load_imagenet
from tfkd.data.sources.tiny_imagenet import load_tiny_imagenet
from tfkd.models import create_model
from tfkd.runs import (
    Circumstances,
    MethodSettings,
    Recipe,
    RunDirectory,
    RunSettings,
)
from tfkd.runs.checksums import write_checksums
from tfkd.runs.tensors import load_weights
from tfkd.study.directory import read_studies, write_study
from tfkd.study.plan import Arm, Published, Study
from tfkd.teachers import Batch as Asked
from tfkd.teachers import CachedTeacher
from tfkd.train import train_run
from tfkd.train.checkpoint.file import read_checkpoint

QUICK, LONG = 20, 1000
"""Cases for each kind of file."""

DOCUMENTED = (ValueError, FileNotFoundError, UsageError)
STARTS = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect")
STARTS += ("os.mkdir", "shutil.rmtree", "os.remove", "webbrowser.open")
MOST_GROWTH = 1_500_000
"""KiB by which this process may grow over all cases of a reader; torch and Pillow have caches."""

FORMATS = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "tif": "TIFF", "webp": "WEBP"}
FORMATS |= {"bmp": "BMP", "ppm": "PPM", "tga": "TGA", "jp2": "JPEG2000", "avif": "AVIF"}
FORMATS |= {"ico": "ICO", "icns": "ICNS", "pcx": "PCX", "qoi": "QOI", "sgi": "SGI", "dds": "DDS"}
FORMATS |= {"heic": "HEIF"}


class Evil:
    """Makes a folder where it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("executed",)


WEIRD = [None, True, -1, 0, 10**30, 1e308, float("nan"), "", "../../x", "/etc", "x" * 3000, [], {}]
WEIRD += ["\udc80", "\x1b[31m", "<script>", [[[]]], {"a": {}}, 2**31, "=1", 0.5, [1], ["a", "b"]]
PIECES = [b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0" * 8, b"\x80", pickle.dumps(Evil()), b"["]
PIECES += [b"&a [*a]", b"!!python/object/apply:os.mkdir [executed]", b"\n", b"../", b"]" * 9, b'"']


def changed_bytes(content, rng):
    """Some bytes, changed once to four times."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        kind = rng.choice(("bits", "cut", "piece", "insert", "copy", "noise", "drop"))
        at = rng.randrange(len(data) + 1)
        if kind == "bits" and data:
            data[at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del data[at:]
        elif kind == "piece":
            piece = rng.choice(PIECES)
            data[at : at + len(piece)] = piece
        elif kind == "insert":
            data[at:at] = rng.choice(PIECES)
        elif kind == "copy" and data:
            start = rng.randrange(len(data))
            data[at:at] = data[start : start + rng.randint(1, 64)]
        elif kind == "noise":
            data[at : at + 8] = rng.randbytes(rng.randint(1, 16))
        elif kind == "drop":
            del data[at : at + rng.randint(1, 32)]
    return bytes(data)


def changed_json(content, rng):
    """JSON, with a value within it changed, doubled or taken away; at times its bytes too."""
    values = json.loads(content)
    for _ in range(rng.randint(1, 3)):
        holder, key = values, None
        places = list(_places(values))
        if places:
            holder, key = rng.choice(places)
        kind = rng.choice(("weird", "drop", "other"))
        if key is None:
            values = copy.deepcopy(rng.choice(WEIRD))
        elif kind == "weird":
            holder[key] = copy.deepcopy(rng.choice(WEIRD))
        elif kind == "drop":
            del holder[key]
        else:
            other_holder, other = rng.choice(places)
            with contextlib.suppress(LookupError, ValueError, TypeError):
                holder[key] = json.loads(json.dumps(other_holder[other]))
    text = json.dumps(values).encode()
    return changed_bytes(text, rng) if rng.random() < 0.3 else text


def _places(value):
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def changed_lines(content, rng):
    """JSON lines, of which one is changed."""
    lines = content.splitlines()
    at = rng.randrange(len(lines))
    lines[at] = changed_json(lines[at], rng)
    return b"\n".join(lines)


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """By name: the file to change, how to change its content, and what reads it."""
    root = tmp_path_factory.mktemp("fuzz")
    found = _of_runs(root) | _of_caches(root) | _of_data(root) | _of_images(root)
    config = root / "config.yaml"
    config.write_text("epochs: 3\nlearning_rate: 0.1\nmilestones: [1, 2]\ntensorboard: true\n")
    arguments = ["--out", "x", "--config", str(config)]
    found["config.yaml"] = (
        config,
        changed_bytes,
        lambda: parse("tfkd train", COMMANDS["train"], arguments),
    )
    return found


def resealed(run):
    """The result of a run whose checksums are of what is there."""
    write_checksums(run.path, [run.result_file], {})
    return run.result()


def _of_runs(root):
    data = DataSettings("digits", train_size=60, validation_fraction=0.1)
    recipe = Recipe(data=data, epochs=1, batch_size=60)
    settings = RunSettings(recipe)
    run = RunDirectory(root / "run")
    train_run(run.path, settings, Circumstances(save_epochs=(1,)))
    # Without a result it is not finished, and read without checksums; they would tell.
    summed, other = RunDirectory(root / "summed"), RunDirectory(root / "other")
    for finished in (summed, other):
        finished.path.mkdir()
        finished.result_file.write_bytes(run.result_file.read_bytes())
    run.result_file.unlink()
    (run.path / "SHA256SUMS").rename(summed.path / "SHA256SUMS")
    run.teacher_file.write_text(json.dumps({"sha256": "0" * 64}))
    model = create_model("small_cnn", num_classes=10, in_channels=1)
    found = {
        "settings.json": (run.settings_file, changed_json, run.settings),
        "data.json": (run.data_file, changed_json, run.data),
        "environment.json": (run.environment_file, changed_json, run.environment),
        "result.json": (other.result_file, changed_json, lambda: resealed(other)),
        "teacher.json": (run.teacher_file, changed_json, run.taught_by),
        "metrics.jsonl": (run.metrics_file, changed_lines, run.history),
        "test.safetensors": (run.test_file, changed_bytes, run.test_logits),
        "weights.safetensors": (
            run.weights_file(),
            changed_bytes,
            lambda: load_weights(model, run.weights_file()),
        ),
    }
    found["SHA256SUMS"] = (summed.path / "SHA256SUMS", changed_bytes, summed.result)

    checkpoint, signed = root / "checkpoint.pt", root / "signed.pt"
    buffer = io.BytesIO()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "history": []}
    seconds = {"epoch_seconds": 0.0, "seconds": 1.5}
    done = {"epochs_done": 1, "batches_done": 0, "totals": {}, "scaler": None}
    torch.save({**state, **done, **seconds}, buffer)

    def sign(file, content):
        line = f"tfkd checkpoint, sha256 {hashlib.sha256(content).hexdigest()}\n".encode()
        file.write_bytes(line + content)

    sign(checkpoint, buffer.getvalue())

    def resign():
        sign(root / "resigned.pt", signed.read_bytes())
        return read_checkpoint(root / "resigned.pt")

    signed.write_bytes(buffer.getvalue())
    found["checkpoint.pt"] = (checkpoint, changed_bytes, lambda: read_checkpoint(checkpoint))
    found["checkpoint.pt with a checksum to match"] = (signed, changed_bytes, resign)

    plain = Arm("a/plain", MethodSettings(), recipe)
    taught = Arm(
        *("a/taught", MethodSettings("de_kd"), recipe),
        teacher="a/plain",
        teacher_epoch=1,
        baseline="a/plain",
        published=Published(70.0, 0.3, 1.0, "as printed"),
    )
    write_study(Study("plan", "?", (plain, taught), seeds=2, remarks=("So.",)), root / "study")
    plan = root / "study" / "plan.study.json"
    found["plan.study.json"] = (plan, changed_json, lambda: read_studies(plan.parent))
    return found


FORMS = {"float32": {}, "top-2": {}, "sampled-5": {"temperature": 1.0}}


def _of_caches(root):
    """What is read of a broken cache is right, unless its checksums were made to match."""
    torch.manual_seed(0)
    indices = torch.arange(12)
    batches = [(torch.randn(12, 3), indices, view) for view in range(2)]
    network = torch.nn.Linear(3, 7)

    def answers(path, **options):
        cached = CachedTeacher(path, **options)
        asked = [Asked(torch.zeros(12, 7), indices, indices=indices, view=v) for v in range(2)]
        return [in_full(cached(batch), 7) for batch in asked]

    found = {}
    for form, options in FORMS.items():
        path, crafted = root / f"cache-{form}", root / f"crafted-{form}"
        for folder in (path, crafted):
            CachedTeacher.record(folder, network, batches, form=form, **options)
        right = answers(path)

        def read(path=path, right=right):
            for said, true in zip(answers(path), right, strict=True):
                if not torch.equal(said, true):
                    raise AssertionError("a wrong answer")

        def read_signed(path=crafted):
            _sign_cache(path)
            for verify in (False, True):
                with contextlib.ExitStack() as stack:
                    if not verify:
                        stack.enter_context(contextlib.suppress(*DOCUMENTED))
                    answers(path, verify=verify)

        for file in path.iterdir():
            change = changed_json if file.suffix == ".json" else changed_bytes
            found[f"{form} {file.name}"] = (file, change, read)
            found[f"{form} {file.name} with checksums to match"] = (
                crafted / file.name,
                change,
                read_signed,
            )
    return found


def _sign_cache(path):
    file = path / "cache.json"
    with contextlib.suppress(ValueError, TypeError, AttributeError, LookupError, OSError):
        values = json.loads(file.read_bytes())
        for name in ("values", "classes", "positions"):
            with contextlib.suppress(TypeError, LookupError, OSError):
                content = (path / f"{name}.bin").read_bytes()
                values["columns"][name]["sha256"] = hashlib.sha256(content).hexdigest()
        values.pop("sha256", None)
        values["sha256"] = hashlib.sha256(json.dumps(values).encode()).hexdigest()
        file.write_text(json.dumps(values))


def _of_data(root):
    rng = np.random.default_rng(0)
    found = {}
    tiny = root / "tiny"
    image = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    for wnid in ("n01", "n02"):
        (tiny / "train" / wnid).mkdir(parents=True)
        image.save(tiny / "train" / wnid / "0.JPEG")
    (tiny / "val" / "images").mkdir(parents=True)
    image.save(tiny / "val" / "images" / "val_0.JPEG")
    (tiny / "wnids.txt").write_text("n01\nn02\n")
    (tiny / "words.txt").write_text("n01\tone\nn02\ttwo, zwei\n")
    (tiny / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn01\t0\t0\t9\t9\n")
    for name in ("wnids.txt", "words.txt", "val/val_annotations.txt", "val/images/val_0.JPEG"):
        found[f"tiny {name}"] = (tiny / name, changed_bytes, lambda: load_tiny_imagenet(str(tiny)))
    imagenet = root / "imagenet"
    kit = imagenet / "ILSVRC2012_devkit_t12" / "data"
    kit.mkdir(parents=True)
    for wnid in ("n01", "n02"):
        (imagenet / "train" / wnid).mkdir(parents=True)
        image.save(imagenet / "train" / wnid / "0.JPEG")
    (imagenet / "val").mkdir()
    image.save(imagenet / "val" / "ILSVRC2012_val_00000001.JPEG")
    synsets = np.array([(1, "n01"), (2, "n02")], dtype=[("ILSVRC2012_ID", "f8"), ("WNID", "O")])
    savemat(kit / "meta.mat", {"synsets": synsets[:, None]})
    truth = kit / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("2\n")
    table = root / "labels.csv"
    table.write_text(
        "path,label,split\n"
        "tiny/train/n01/0.JPEG,one,train\n"
        "tiny/train/n02/0.JPEG,two,train\n"
        "tiny/val/images/val_0.JPEG,one,test\n"
    )
    places = Places(labels=str(table))
    found[table.name] = (table, changed_bytes, lambda: load_folder(places))
    found[f"imagenet {truth.name}"] = (truth, changed_bytes, lambda: load_imagenet(str(imagenet)))
    return found


def _of_images(root):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (24, 20, 3), dtype=np.uint8))

    def reader(path):
        def read():
            check_images(path.parent, [path.name])
            return read_rgb(path)

        return read

    found = {}
    prepare_decoders()
    for suffix, kind in FORMATS.items():
        path = root / f"image.{suffix}"
        image.save(path, kind)
        found[path.name] = (path, changed_bytes, reader(path))
    image.convert("P").save(root / "palette.png", transparency=3)
    image.save(root / "deflated.tif", compression="tiff_adobe_deflate")
    for name in ("palette.png", "deflated.tif"):
        found[name] = (root / name, changed_bytes, reader(root / name))
    return found


class Watch:
    """Notes what is started; an audit hook cannot be taken away, only be told to sleep."""

    def __init__(self):
        self.on, self.started = False, []
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if self.on and event.startswith(STARTS):
            self.started.append((event, arguments))


@pytest.fixture(scope="module")
def watch():
    folder = cache_folder()
    assert folder is not None
    folder.mkdir(parents=True, exist_ok=True)  # or who first compares files makes it
    return Watch()


def fuzz(readers, watch, seed, cases):
    """Run so many cases for each kind of file; return how many ran, and how many were refused."""
    print(f"drawn with TFKD_TEST_SEED={seed}")
    count = refused = 0
    for name, (file, change, read) in readers.items():
        whole, rng = file.read_bytes(), random.Random(f"{name} {seed}")
        read()  # what is valid is read
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number in range(cases):
            content = change(whole, rng)
            file.write_bytes(content)
            watch.on = True
            try:
                read()
            except DOCUMENTED as error:
                refused += 1
                assert len(str(error)) < 100_000, (name, number)
            except Exception as error:
                raise AssertionError(f"{name}, case {number}: {error!r}") from error
            finally:
                watch.on = False
            count += 1
            assert not watch.started, (name, number, watch.started)
        file.write_bytes(whole)
        read()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < MOST_GROWTH, (name, grown)
    assert not Path("executed").exists()
    return count, refused


@pytest.mark.filterwarnings("ignore")
def test_broken_files_are_refused_as_documented(readers, watch, drawn_seed):
    count, refused = fuzz(readers, watch, drawn_seed, QUICK)
    assert count == QUICK * len(readers)
    assert refused > count / 2


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.filterwarnings("ignore")
def test_many_broken_files_are_refused_as_documented(readers, watch, drawn_seed, capsys):
    count, refused = fuzz(readers, watch, drawn_seed, LONG)
    with capsys.disabled():
        print(f"\n{count} broken files of {len(readers)} kinds, {refused} refused")
    assert count == LONG * len(readers)


def test_the_watch_sees_what_a_pickle_starts(watch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    watch.on = True
    pickle.loads(pickle.dumps(Evil()))
    watch.on = False
    assert watch.started.pop()[0] == "os.mkdir"
    assert not watch.started
