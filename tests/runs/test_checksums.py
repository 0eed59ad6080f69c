"""A finished run with a damaged file: named, never believed, never changed."""

import hashlib
import json
import os
import shutil

import pytest

from tfkd.cli import main
from tfkd.runs import RunDirectory
from tfkd.runs.checksums import verify
from tfkd.train import train_run

READERS = {
    "settings.json": lambda run: run.settings(),
    "data.json": lambda run: run.data(),
    "environment.json": lambda run: run.environment(),
    "metrics.jsonl": lambda run: run.history(),
    "result.json": lambda run: run.result(),
    "test.safetensors": lambda run: run.test_logits(),
    "weights.safetensors": lambda run: run.load_model(),
    "snapshots/epoch-1.safetensors": lambda run: run.load_model(1),
}
DAMAGES = {
    "truncated": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "first bit": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "last bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "longer": lambda content: content + b" ",
}


@pytest.fixture
def run(finished_run, tmp_path):
    shutil.copytree(finished_run[0], tmp_path / "run")
    return RunDirectory(tmp_path / "run")


def test_the_checksums_are_those_of_sha256sum(run):
    lines = (run.path / "SHA256SUMS").read_text().splitlines()
    assert dict(reversed(line.split("  ")) for line in lines) == {
        name: hashlib.sha256((run.path / name).read_bytes()).hexdigest() for name in READERS
    }
    for read in READERS.values():
        read(run)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_with_what_to_delete(run, name, damage):
    file = run.path / name
    damaged = DAMAGES[damage](file.read_bytes())
    file.write_bytes(damaged)
    with pytest.raises(ValueError, match=rf"{name} as it was written") as caught:
        READERS[name](run)
    assert f"delete the directory {run.path} to train this run anew" in str(caught.value)
    assert file.read_bytes() == damaged


def test_every_flipped_bit_of_the_result_is_noticed(run):
    content = run.result_file.read_bytes()
    for place in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        run.result_file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"result\.json"):
            verify(run.path, run.result_file)


def test_damaged_checksums_are_named_too(run):
    sums = run.path / "SHA256SUMS"
    content = sums.read_bytes()
    for damaged in (content[:-10], content.replace(b"result", b"resulu"), b"\xff\n", b"\0"):
        sums.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"SHA256SUMS.*delete the directory"):
            run.result()


def test_a_finished_run_without_checksums_is_named_with_what_to_do(run):
    (run.path / "SHA256SUMS").unlink()
    for read in READERS.values():
        with pytest.raises(
            ValueError, match=r"SHA256SUMS beside result.json.*delete the directory"
        ):
            read(run)


def test_a_run_that_is_not_finished_needs_no_checksums(run):
    (run.path / "SHA256SUMS").unlink()
    run.result_file.unlink()
    for name, read in READERS.items():
        assert (read(run) is None) == (name == "result.json")


def test_the_command_line_says_it_in_one_line(run, finished_run, capsys):
    weights = bytearray(run.weights_file().read_bytes())
    weights[len(weights) // 2] ^= 1
    run.weights_file().write_bytes(weights)
    assert main(["evaluate", str(run.path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"tfkd: error: Expected {run.weights_file()} as it was written")
    assert error.count("\n") == 1


def test_deleting_what_it_says_mends_it(run, finished_run):
    run.result_file.write_text("{}")
    with pytest.raises(ValueError, match="delete the directory"):
        train_run(run.path, finished_run[1])
    shutil.rmtree(run.path)
    result = train_run(run.path, finished_run.settings)
    assert result.test == finished_run.result.test
    assert RunDirectory(run.path).result() == result


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("result.json", "[]"),
        ("result.json", '{"test": {"accuracy": "high"}}'),
        ("result.json", "null"),
        ("settings.json", "{}"),
        ("settings.json", "3"),
        ("data.json", '{"classes": 5}'),
        ("environment.json", "[1]"),
        ("metrics.jsonl", "1\n"),
        ("metrics.jsonl", '{"epoch": 1}\n'),
        ("metrics.jsonl", "[" * 100_000),
        ("result.json", "\udcff"),
    ],
)
def test_json_of_another_shape_is_named(run, sealed, name, text):
    (run.path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    sealed(run.path)
    with pytest.raises(
        ValueError, match=rf"{name} as this program writes it.*delete the directory"
    ):
        READERS[name](run)


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ["one"]},
        {"channels": 1_000_000_000},
        {"image_size": 1_000_000_000},
        {"mean": []},
        {"std": [0.0]},
        {"std": [1e-320]},
        {"mean": [None]},
        {"fit": "none"},
        {"samples": {}},
        {"digests": {"test": "0" * 64}},
    ],
)
def test_data_that_no_data_set_has_are_refused(run, sealed, changes):
    values = json.loads(run.data_file.read_text()) | changes
    run.data_file.write_text(json.dumps(values))
    sealed(run.path)
    with pytest.raises(ValueError, match=next(iter(changes))):
        run.data()


NUMBERS = {
    "result.json": [
        ("seconds", 1e308),
        ("seconds", -1.0),
        ("epochs", 0),
        ("epochs", 10**400),
        ("parameters", 10**30),
        ("test.nll", 1e308),
        ("test.accuracy", 1.5),
        ("test.ece", None),
        ("validation.aurc", -0.5),
        ("train.loss", float("inf")),
        ("train.accuracy", float("nan")),
        ("samples.train", -3),
        ("calibrated.temperature", 0.0),
        ("calibrated.temperature", 1e50),
        ("calibrated.test.nll", 1e308),
    ],
    "metrics.jsonl": [
        ("seconds", 1e308),
        ("seconds", float("inf")),
        ("epoch", 0),
        ("train_accuracy", None),
        ("train_accuracy", 2.0),
        ("train_loss", float("nan")),
        ("learning_rate", 1e300),
        ("validation_nll", 1e300),
    ],
}


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [(name, place, value) for name, cases in NUMBERS.items() for place, value in cases],
)
def test_numbers_that_no_run_comes_to_are_refused(run, sealed, name, place, value):
    file = run.path / name
    lines = file.read_text().splitlines() if name == "metrics.jsonl" else [file.read_text()]
    values = json.loads(lines[-1])
    *parts, last = place.split(".")
    holder = values
    for part in parts:
        holder = holder[part]
    holder[last] = value
    file.write_text("\n".join([*lines[:-1], json.dumps(values)]))
    sealed(run.path)
    with pytest.raises(
        ValueError, match=rf"{name} as this program writes it.*delete the directory"
    ):
        READERS[name](run)


JSON = [name for name in READERS if name.endswith((".json", ".jsonl"))]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", [*JSON, "SHA256SUMS"])
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(run, name):
    (run.path / name).unlink()
    os.mkfifo(run.path / name)
    with pytest.raises((ValueError, FileNotFoundError), match=rf"{run.path}"):
        READERS.get(name, READERS["result.json"])(run)


@pytest.mark.parametrize("name", [*JSON, "SHA256SUMS"])
def test_a_file_that_is_too_large_is_not_read(run, name):
    os.truncate(run.path / name, 20 << 30)  # of holes, which take no room
    with pytest.raises(ValueError, match=rf"at most \d+ bytes in .*{name}, got {20 << 30}"):
        READERS.get(name, READERS["result.json"])(run)
