"""Weights of any usual file end in the network, but for a head of other classes."""

from __future__ import annotations

import argparse
import os
import zipfile
from collections import OrderedDict

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from tfkd.models import create_model
from tfkd.train.weights.file import read_weights, weights_file
from tfkd.train.weights.fit import load_start, load_whole

NAME = "timm/test_resnet"


def network(classes=5, name=NAME, seed=1):
    torch.manual_seed(seed)
    return create_model(name, num_classes=classes)


@pytest.fixture(scope="module")
def source():
    return network(seed=0).state_dict()


def same(one, other, but=()):
    return [key for key in one if key not in but and not torch.equal(one[key], other[key])] == []


def prefixed(prefix, state):
    return OrderedDict((f"{prefix}{key}", value) for key, value in state.items())


# What programs write: torch's own, timm's, MAE's and others' training scripts, DDP, compile.
FORMS = {
    "the state itself": lambda s: s,
    "state_dict": lambda s: {"state_dict": s, "epoch": 3, "optimizer": {"state": {}}},
    "model": lambda s: {"model": s, "args": argparse.Namespace(lr=0.1)},
    "model_state": lambda s: {"model_state": s, "loss": 0.25},
    "ema before model": lambda s: {"model": {k: v * 0 for k, v in s.items()}, "ema": s},
    "timm's average": lambda s: {"state_dict": {}, "state_dict_ema": s, "arch": "test_resnet"},
    "wrapped twice": lambda s: {"model": {"state_dict": s}},
    "DDP": lambda s: prefixed("module.", s),
    "compiled": lambda s: {"state_dict": prefixed("_orig_mod.", s)},
    "compiled DDP": lambda s: prefixed("_orig_mod.module.", s),
    "Lightning": lambda s: {"state_dict": prefixed("model.", s)},
    "DDP around a model": lambda s: prefixed("module.model.", s),
    "half precision": lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()},
}


@pytest.mark.parametrize("form", FORMS)
def test_weights_are_found_in_what_programs_write(form, source, tmp_path):
    file = tmp_path / "w.pth"
    torch.save(FORMS[form](source), file)
    own = network()
    assert not same(own.state_dict(), source)
    average = {"ema before model": ("ema", "model"), "timm's average": ()}.get(form, ())
    said = " and ".join(average)
    assert load_start(own, file, name=NAME) == (
        f"{file} has weights under {said}: those under ema are taken, an average." if said else None
    )
    rounded = FORMS["half precision"](source) if form == "half precision" else source
    assert all(torch.equal(own.state_dict()[key], value.float()) for key, value in rounded.items()
               if value.is_floating_point())  # fmt: skip
    whole = network()
    load_whole(whole, file, name=NAME)
    assert same(whole.state_dict(), own.state_dict())


@pytest.mark.parametrize("ending", ["pth", "pt", "bin", "pth.tar", "safetensors"])
def test_every_ending_is_read(ending, source, tmp_path):
    file = tmp_path / f"w.{ending}"
    save_file(source, file) if ending == "safetensors" else torch.save(source, file)
    own = network()
    load_start(own, file, name=NAME)
    assert same(own.state_dict(), source)


def test_the_format_before_1_6_is_read(source, tmp_path):
    file = tmp_path / "old.pth"
    torch.save(source, file, _use_new_zipfile_serialization=False)
    own = network()
    load_start(own, file, name=NAME)
    assert same(own.state_dict(), source)


def test_a_network_whose_names_begin_so_themselves_keeps_them(tmp_path):
    class Wrapper(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = nn.Linear(3, 2)

    own, other = Wrapper(), Wrapper()
    torch.save(prefixed("module.", other.state_dict()), tmp_path / "w.pt")
    load_whole(own, tmp_path / "w.pt", name="wrapper")
    assert same(own.state_dict(), other.state_dict())


@pytest.mark.parametrize(
    ("name", "head"),
    [
        (NAME, {"fc.weight", "fc.bias"}),
        ("timm/test_vit", {"head.weight", "head.bias"}),
        ("timm/test_convnext", {"head.fc.weight", "head.fc.bias"}),
        ("small_cnn", {"classifier.2.weight", "classifier.2.bias"}),
        ("mobilenet_v2", {"24.weight", "24.bias"}),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_a_head_of_other_classes_is_new_and_said_so(name, head, there, tmp_path):
    source = network(7, name, seed=0).state_dict()
    if name == "mobilenet_v2":
        head = {key for key in source if key.startswith("24.")}
    file = tmp_path / "w.safetensors"
    save_file({key: v for key, v in source.items() if there or key not in head}, file)
    own, fresh = network(5, name), network(5, name).state_dict()
    said = load_start(own, file, name=name)
    had = "a head for 7 classes" if there else "no head"
    assert (
        said == f"{file} has {had}: {name} gets a new one, for 5, which is trained from the start."
    )
    state = own.state_dict()
    assert same(state, source, but=head)
    assert all(torch.equal(state[key], fresh[key]) for key in head)


def test_a_teacher_with_another_head_is_refused_and_told_how_to_begin(tmp_path):
    file = tmp_path / "w.safetensors"
    save_file(network(7).state_dict(), file)
    message = (
        rf"a head for 5 classes in {file}, got one for 7: .* Fine-tune it first, with tfkd train "
        rf"--student {NAME} --weights {file}"
    )
    with pytest.raises(ValueError, match=message):
        load_whole(network(5), file, name=NAME)


def test_all_else_that_does_not_fit_is_one_error_with_the_first_few(source, tmp_path):
    file = tmp_path / "w.safetensors"
    first = next(key for key in source if source[key].dim() == 4)
    changes = {
        "expected no 'extra', got one.": {**source, "extra": torch.zeros(2)},
        rf"expected {first}, found none.": {k: v for k, v in source.items() if k != first},
        rf"expected {first} of numbers \(.*\), got numbers \(2, 2\).": {
            **source,
            first: torch.zeros(2, 2),
        },
    }
    for message, tensors in changes.items():
        save_file(tensors, file)
        own, before = network(), network().state_dict()
        with pytest.raises(ValueError, match=f"weights in {file} do not fit .*{NAME}: {message}"):
            load_start(own, file, name=NAME)
        assert same(own.state_dict(), before)
    save_file(network(name="timm/test_vit").state_dict(), file)
    with pytest.raises(ValueError, match=r"found none, .*found none, .*and \d+ more differ\.$"):
        load_start(network(), file, name=NAME)
    save_file({**source, first: source[first] * float("nan")}, file)
    with pytest.raises(
        ValueError, match=f"finite weights in {file}, got NaN or infinity in {first}"
    ):
        load_start(network(), file, name=NAME)


def test_timms_own_reader_fits_positions_to_another_size(tmp_path):
    """A vision transformer of 160 pixels starts one of 64: its position embedding is resized."""
    source = timm.create_model("test_vit", num_classes=5, img_size=160)
    own = timm.create_model("test_vit", num_classes=5, img_size=64)
    torch.save(source.state_dict(), tmp_path / "w.pth")
    assert source.pos_embed.shape != own.pos_embed.shape
    load_start(own, tmp_path / "w.pth", name="timm/test_vit")
    expected = timm.create_model(
        "test_vit",
        pretrained=True,
        num_classes=5,
        img_size=64,
        pretrained_cfg_overlay={"file": str(tmp_path / "w.pth"), "num_classes": 5},
    )
    assert same(own.state_dict(), expected.state_dict())


def test_a_folder_is_the_weights_in_it(finished_run, tmp_path):
    assert weights_file(str(finished_run.path)) == finished_run.path / "weights.safetensors"
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert weights_file(str(tmp_path)) == tmp_path / "model.safetensors"
    with pytest.raises(FileNotFoundError, match=rf"weights in {tmp_path}/x/weights.safetensors"):
        (tmp_path / "x").mkdir()
        read_weights(weights_file(str(tmp_path / "x")))


def crafted_execution(folder):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(folder / "executed"),)

    return {"state_dict": {"a": torch.zeros(1)}, "hook": Evil()}


def test_nothing_of_a_file_is_executed(tmp_path):
    file = tmp_path / "w.pth"
    torch.save(crafted_execution(tmp_path), file)
    message = rf"tensors and plain values alone in {file}, got posix.mkdir, .*state_dict"
    with pytest.raises(ValueError, match=message) as caught:
        load_start(network(), file, name=NAME)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()


def test_what_takes_more_memory_than_its_file_is_refused(source, tmp_path):
    file = tmp_path / "w.pth"
    huge = torch.zeros(1).expand(1 << 40)  # 4 TiB, in a few bytes
    torch.save({**source, "extra": huge}, file)
    with pytest.raises(ValueError, match=rf"tensors that {file}, of \d+ bytes, can hold, got 'ext"):
        load_start(network(), file, name=NAME)
    packed = tmp_path / "packed.pth"
    with zipfile.ZipFile(file) as plain, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in plain.namelist():
            new.writestr(entry, plain.read(entry))
    with pytest.raises(ValueError, match=rf"{packed}: .*compressed, which torch never does"):
        load_start(network(), packed, name=NAME)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.pth", b"", "weights that torch has saved"),
        ("w.pth", b"PK\x03\x04" + b"\0" * 100, "weights that torch has saved"),
        ("w.pth", b"nothing", "weights that torch has saved"),
        ("w.safetensors", b"\0" * 40, "a safetensors file"),
        ("w.pth", b"\x10" + b"\0" * 7 + b'{"a":', "a safetensors file"),
        ("w.npz", b"PK", "weights of torch"),
    ],
)
def test_what_are_no_weights_is_named(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"Expected {message} in {tmp_path / name}") as caught:
        load_start(network(), tmp_path / name, name=NAME)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [[torch.zeros(2)], torch.zeros(2), {"a": 3}, {3: torch.zeros(2)}, {"model": {"b": 1}}],
)
def test_what_holds_no_tensors_by_name_is_named(content, tmp_path):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ValueError, match=f"Expected tensors by name in {tmp_path / 'w.pt'}, got"):
        load_start(network(), tmp_path / "w.pt", name=NAME)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "w.pth")
    with pytest.raises((ValueError, FileNotFoundError)):
        load_start(network(), tmp_path / "w.pth", name=NAME)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("running_mean", float("nan"), "finite weights in {}, got NaN or infinity in {}"),
        ("running_var", float("inf"), "finite weights in {}, got NaN or infinity in {}"),
        ("running_var", -1.0, "variances of at least 0 in {}, got -1 in {}"),
    ],
)
@pytest.mark.parametrize("load", [load_start, load_whole])
def test_what_a_norm_cannot_compute_with_is_refused(load, key, value, message, source, tmp_path):
    file = tmp_path / "w.safetensors"
    name = next(own for own in source if own.endswith(key))
    save_file({**source, name: torch.full_like(source[name], value)}, file)
    with pytest.raises(ValueError, match=message.format(file, name)):
        load(network(), file, name=NAME)


def test_what_is_not_finite_as_float32_is_refused(source, tmp_path):
    file, name = tmp_path / "w.pth", "fc.weight"
    torch.save({**source, name: source[name].double() + 1e300}, file)
    with pytest.raises(ValueError, match=f"finite weights in {file}, got .* in {name}"):
        load_start(network(), file, name=NAME)


def test_a_changed_byte_is_noticed(source, tmp_path):
    file = tmp_path / "w.pth"
    torch.save(source, file)
    content = bytearray(file.read_bytes())
    place = content.find(source["fc.weight"].numpy().tobytes())
    assert place > 0
    content[place] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"saved in {file}: it is damaged, the checksum of 'w/"):
        load_start(network(), file, name=NAME)


def test_a_file_without_checksums_is_read(source, tmp_path):
    file = tmp_path / "w.pth"
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(source, file)
    finally:
        torch.serialization.set_crc32_options(True)
    own = network()
    load_start(own, file, name=NAME)
    assert same(own.state_dict(), source)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_eight_bits_become_float32(ending, source, tmp_path):
    file = tmp_path / f"w.{ending}"
    small = {key: t.to(torch.float8_e4m3fn) if t.is_floating_point() else t
             for key, t in source.items()}  # fmt: skip
    save_file(small, file) if ending == "safetensors" else torch.save(small, file)
    own = network()
    load_start(own, file, name=NAME)
    assert same(own.state_dict(), {key: t.to(source[key].dtype) for key, t in small.items()})


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize("dtype", [torch.bool, torch.complex64])
def test_another_dtype_is_called_by_its_name(ending, dtype, source, tmp_path):
    file, name = tmp_path / f"w.{ending}", next(iter(source))
    tensors = {**source, name: source[name].to(dtype)}
    save_file(tensors, file) if ending == "safetensors" else torch.save(tensors, file)
    kind = str(dtype).removeprefix("torch.")
    with pytest.raises(ValueError, match=rf"{name} of numbers \(.*\), got {kind} \("):
        load_start(network(), file, name=NAME)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "it is empty"), (b"e\n", "it is damaged, or of another kind"),
     (b"junk that is none", "it is damaged, or of another kind")],
)  # fmt: skip
def test_why_none_are_read_is_a_sentence(content, reason, tmp_path):
    file = tmp_path / "w.pth"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"weights that torch has saved in {file}: {reason}\.$"):
        read_weights(file)


@pytest.mark.parametrize("load", [load_start, load_whole])
def test_norms_that_count_no_batches_have_seen_none(load, source, tmp_path):
    file = tmp_path / "w.pth"
    source = {key: t + 3 if "num_batches" in key else t for key, t in source.items()}
    old = {key: t for key, t in source.items() if "num_batches" not in key}
    assert len(old) < len(source)
    torch.save({"state_dict": prefixed("module.", old)}, file)
    own = network()
    assert load(own, file, name=NAME) is None
    state = own.state_dict()
    assert same(state, old, but=source.keys() - old.keys())
    assert all(int(state[key]) == 0 for key in source.keys() - old.keys())
