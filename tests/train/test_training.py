"""Runs, held against a loop written out by hand and against themselves after an interruption."""

import json

import pytest
import torch
from own_parts import Poisoned, changed
from safetensors.torch import load_file, save_file

from tfkd.data import DataSettings, load_data, make_loader
from tfkd.metrics import all_metrics
from tfkd.models import create_model
from tfkd.report.run_page.page import make_run_page
from tfkd.report.run_page.run_data import read_run
from tfkd.runs import (
    SGD,
    AdamW,
    Circumstances,
    Constant,
    MethodSettings,
    Metrics,
    OneCycle,
    Recipe,
    RunDirectory,
    RunSettings,
    RunTeacher,
)
from tfkd.train import evaluate_run, train_run
from tfkd.train.checkpoint.file import read_checkpoint
from tfkd.train.progress import Silent
from tfkd.train.seeds import weights_seed
from tfkd.train.step.learning_rate import learning_rate_factor

DATA = DataSettings("digits", train_size=210, validation_fraction=0.1)
PLAIN = RunSettings(Recipe(data=DATA, epochs=2, batch_size=64))
KEPT = Circumstances(save_epochs=(1,))
OFTEN = Circumstances(checkpoint_seconds=0.0)


class Interrupt(Silent):
    """Stops a run after some epochs."""

    def __init__(self, epochs):
        self.left = epochs

    def epoch(self, record):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


class Counting(Silent):
    steps = 0

    def step(self):
        self.steps += 1


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "plain"
    return path, train_run(path, PLAIN, KEPT)


def same_weights(one, other):
    a, b = load_file(one / "weights.safetensors"), load_file(other / "weights.safetensors")
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def test_a_run_is_a_plain_pytorch_loop(plain):
    data = load_data(DATA)
    torch.manual_seed(weights_seed(0))
    model = create_model("small_cnn", num_classes=10, in_channels=1)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4)
    loader = make_loader(data, data.train, batch_size=64, train=True, seed=0, channels_last=True)
    steps = len(loader)
    # One epoch of warm-up, then torch's own half cosine over the other.
    rates = [0.1 * (step + 1) / (steps + 1) for step in range(steps)]
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rates.append(cosine.get_last_lr()[0])
        optimizer.step()
        cosine.step()
    for epoch in range(2):
        for number, batch in enumerate(loader.batches(epoch)):
            optimizer.param_groups[0]["lr"] = rates[epoch * steps + number]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(batch.images), batch.labels).backward()
            optimizer.step()
    weights = load_file(plain[0] / "weights.safetensors")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(weights[name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_a_run_directory_holds_what_was_promised(plain):
    path, result = plain
    files = {str(f.relative_to(path)) for f in path.rglob("*") if f.is_file()}
    assert files == {
        "settings.json",
        "data.json",
        "environment.json",
        "metrics.jsonl",
        "result.json",
        "weights.safetensors",
        "test.safetensors",
        "snapshots/epoch-1.safetensors",
        "SHA256SUMS",
    }
    assert RunDirectory(path).settings() == PLAIN
    assert RunDirectory(path).stored().circumstances == KEPT
    values = json.loads((path / "settings.json").read_text())
    assert values["recipe"]["optimizer"]["learning_rate"] == 0.1
    assert [json.loads(x)["epoch"] for x in (path / "metrics.jsonl").read_text().splitlines()] == [
        1,
        2,
    ]
    kept = load_file(path / "test.safetensors")
    assert Metrics(**all_metrics(kept["logits"], kept["labels"])) == result.test
    assert json.loads((path / "environment.json").read_text())["versions"]["torch"]


def test_evaluating_gives_the_result_again(plain):
    path, result = plain
    measured = evaluate_run(path)
    for name in Metrics.__struct_fields__:
        assert getattr(measured, name) == pytest.approx(getattr(result.test, name), rel=1e-5)
    assert evaluate_run(path, epoch=1).nll != pytest.approx(result.test.nll, rel=1e-3)


def test_what_is_looked_at_changes_no_number(plain, tmp_path):
    _, result = plain
    circumstances = Circumstances(validate_every=0, measure_test=False)
    blind = train_run(tmp_path / "blind", PLAIN, circumstances)
    assert blind.test is None
    assert not (tmp_path / "blind" / "test.safetensors").exists()
    assert blind.validation == result.validation
    assert blind.calibrated.temperature == result.calibrated.temperature
    assert blind.calibrated.test is None
    history = RunDirectory(tmp_path / "blind").history()
    assert [record.validation_nll is None for record in history] == [True, False]
    assert evaluate_run(tmp_path / "blind").metrics == result.test
    assert make_run_page(read_run(RunDirectory(tmp_path / "blind"))).sections


def test_a_run_is_calibrated_by_its_validation_split(plain):
    path, result = plain
    temperature = result.calibrated.temperature
    nll = [
        evaluate_run(path, split="validation").nll,
        result.calibrated.validation.nll,
    ]
    assert nll[1] < nll[0]
    kept = load_file(path / "test.safetensors")
    after = all_metrics(kept["logits"].double() / temperature, kept["labels"])
    assert Metrics(**after) == result.calibrated.test


def test_a_finished_run_is_never_done_again(plain):
    path, result = plain
    progress = Counting()
    assert train_run(path, PLAIN, progress=progress) == result
    assert progress.steps == 0


def test_other_settings_in_the_same_directory_are_refused(plain):
    with pytest.raises(ValueError, match=r"Expected 2 epochs, .*, got 3: it is finished"):
        train_run(plain[0], changed(PLAIN, epochs=3))
    with pytest.raises(ValueError, match=r"recipe\.batch_size is 64 there, 32 here"):
        train_run(plain[0], changed(PLAIN, batch_size=32))


def test_resuming_gives_the_very_same_run(plain, tmp_path):
    settings = changed(
        PLAIN,
        student="plain_cnn",  # has dropout
        epochs=3,
        mixup=0.2,
        cutmix=0.5,
        gradient_accumulation=2,
        method=MethodSettings("tf_kd_self", numbers={"temperature": 2.0}),
        teacher=RunTeacher(run=str(plain[0]), epoch=1),
        schedule=OneCycle(),
    )
    undisturbed = train_run(tmp_path / "a", settings)
    for epochs in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            train_run(tmp_path / "b", settings, OFTEN, progress=Interrupt(epochs))
    progress = Counting()
    resumed = train_run(tmp_path / "b", settings, progress=progress)
    assert 0 < progress.steps < 3 * 4
    same_weights(tmp_path / "a", tmp_path / "b")
    assert resumed.test == undisturbed.test
    assert resumed.train == undisturbed.train


def test_accumulated_batches_are_one_large_batch(tmp_path):
    # 210 images: the last batch of either run is smaller than the others.
    large = changed(PLAIN, student="own_parts:linear", batch_size=128)
    small = changed(large, batch_size=32, gradient_accumulation=4)
    train_run(tmp_path / "large", large)
    train_run(tmp_path / "small", small)
    a = load_file(tmp_path / "large" / "weights.safetensors")
    b = load_file(tmp_path / "small" / "weights.safetensors")
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-4, atol=1e-6)


def test_a_teacher_must_know_the_same_classes(plain, tmp_path):
    path = tmp_path / "teacher"
    path.mkdir()
    for name in ("settings.json", "weights.safetensors"):
        (path / name).write_bytes((plain[0] / name).read_bytes())
    data = json.loads((plain[0] / "data.json").read_text())
    data["classes"].reverse()
    (path / "data.json").write_text(json.dumps(data))
    taught = changed(
        PLAIN,
        method=MethodSettings("knowledge_distillation"),
        teacher=RunTeacher(run=str(path)),
    )
    reason = r"`teacher` with the student's classes number 0 being '0', got '9'.*another order"
    with pytest.raises(ValueError, match=reason):
        train_run(tmp_path / "student", taught)
    missing = changed(taught, teacher=RunTeacher(run=str(plain[0]), epoch=2))
    with pytest.raises(FileNotFoundError, match="Snapshots it keeps: 1"):
        train_run(tmp_path / "student", missing)
    assert not (tmp_path / "student").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": [*map(str, range(9))]}, "classes 10 of them, got 9"),
        (
            {"classes": [*"012345678", "nine"]},
            "classes number 9 being '9', got 'nine' in",
        ),
        ({"crop_fraction": 0.9}, r"crop_fraction 0\.875, got 0\.9"),
        ({"interpolation": "bicubic"}, "interpolation bilinear, got bicubic"),
        ({"image_size": 28}, "image_size 8, got 28"),
        ({"fit": "centre-crop"}, "fit square, got centre-crop"),
        ({"digests": dict.fromkeys(("train", "validation", "test"), "0" * 64)}, "same test split"),
        ({"channels": 3, "mean": [0.5] * 3, "std": [0.5] * 3}, "do not fit the model"),
    ],
)
def test_a_teacher_must_have_been_trained_on_such_images(plain, tmp_path, changes, message):
    path = tmp_path / "teacher"
    path.mkdir()
    for name in ("settings.json", "weights.safetensors"):
        (path / name).write_bytes((plain[0] / name).read_bytes())
    data = json.loads((plain[0] / "data.json").read_text()) | changes
    (path / "data.json").write_text(json.dumps(data))
    if len(data["classes"]) == 9:
        weights = load_file(path / "weights.safetensors")
        last = [name for name, tensor in weights.items() if tensor.shape[:1] == (10,)]
        save_file(
            weights | {name: weights[name][:9] for name in last}, path / "weights.safetensors"
        )
    teacher = RunTeacher(run=str(path))
    method = MethodSettings("knowledge_distillation")
    with pytest.raises(ValueError, match=message):
        train_run(tmp_path / "run", changed(PLAIN, method=method, teacher=teacher))
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    wild = changed(PLAIN, optimizer=SGD(learning_rate=1e30), schedule=Constant(warmup_epochs=0.0))
    with pytest.raises(FloatingPointError, match="epoch 1"):
        train_run(tmp_path / "run", wild)


def test_bf16_adamw_and_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = changed(PLAIN, mixed_precision="bf16", optimizer=AdamW(learning_rate=0.003))
    result = train_run(tmp_path / "run", settings, Circumstances(tensorboard=True))
    assert result.test.nll < 2.3  # of a guess: log 10
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    losses = [event.value for event in events.Scalars("train_loss")]
    assert losses[-1] == pytest.approx(result.train.loss, rel=1e-5)


POISONED = changed(PLAIN, student="own_parts:poisoned")


@pytest.fixture
def poison(monkeypatch):
    """Has the network go bad after so many forward passes; -1: never."""

    def poison(forwards, *, gradient=False):
        monkeypatch.setattr(Poisoned, "forwards", forwards)
        monkeypatch.setattr(Poisoned, "gradient", gradient)

    return poison


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_bad_loss_stops_at_its_step_and_says_what_reproduces_it(precision, tmp_path, poison):
    settings = changed(POISONED, mixed_precision=precision, mixup=0.2)
    poison(7)  # 4 batches in an epoch: the third of the second epoch
    progress = Counting()
    with pytest.raises(FloatingPointError) as stopped:
        train_run(tmp_path / "run", settings, OFTEN, progress=progress)
    assert progress.steps == 7
    message = str(stopped.value)
    failure = json.loads((tmp_path / "run" / "failure.json").read_text())
    data = load_data(DATA)
    loader = make_loader(data, data.train, batch_size=64, train=True, seed=0)
    assert failure["samples"] == list(loader.batches(1))[2].indices.tolist()
    assert (failure["epoch"], failure["batch"], failure["step"]) == (2, 3, 7)
    schedule = settings.recipe.schedule
    rate = learning_rate_factor(6, steps_per_epoch=4, epochs=2, schedule=schedule) * 0.1
    assert failure["learning_rate"] == rate
    assert failure["seed"] == 0
    assert failure["what"] in ("The training loss is nan", "The training loss is inf")
    for words in ("epoch 2, batch 3 of 4", "seed 0", f"learning rate {rate:g}", "failure.json"):
        assert words in message
    assert "the checkpoint after batch 2 of 4 of epoch 2 is kept" in message
    kept = read_checkpoint(tmp_path / "run" / "checkpoint.pt")
    assert (kept.epochs_done, kept.batches_done) == (1, 2)
    # With what ended it mended, the run goes on from there as if it had not been.
    poison(-1)
    train_run(tmp_path / "run", settings)
    assert not (tmp_path / "run" / "failure.json").exists()
    train_run(tmp_path / "undisturbed", settings)
    same_weights(tmp_path / "run", tmp_path / "undisturbed")


@pytest.mark.parametrize("step", [2, 6, 8])
def test_weights_that_are_not_finite_are_never_kept(step, tmp_path, poison):
    poison(step, gradient=True)  # the loss of this step is finite, the next is not
    with pytest.raises(FloatingPointError, match=rf"A weight .* batch {(step - 1) % 4 + 1} of 4"):
        train_run(tmp_path / "run", POISONED, OFTEN)
    kept = read_checkpoint(tmp_path / "run" / "checkpoint.pt")
    assert 4 * kept.epochs_done + kept.batches_done == step - 1
    assert all(tensor.isfinite().all() for tensor in kept.model.values())
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_bad_loss_before_the_first_checkpoint_leaves_none(tmp_path, poison):
    poison(2)
    with pytest.raises(FloatingPointError, match="there is no checkpoint yet"):
        train_run(tmp_path / "run", POISONED, Circumstances(checkpoint_seconds=1000.0))
    assert not (tmp_path / "run" / "checkpoint.pt").exists()
    assert not (tmp_path / "run" / "snapshots").exists()


@pytest.mark.parametrize(("fraction", "split", "epoch"), [(0.1, "validation", 1), (0.0, "test", 2)])
def test_a_loss_that_is_finite_while_what_is_measured_is_not_is_a_bad_one(
    fraction, split, epoch, tmp_path
):
    data = DataSettings("digits", train_size=210, validation_fraction=fraction)
    settings = changed(PLAIN, student="own_parts:only_in_training", data=data)
    message = rf"A logit of the {split} split is not finite .* epoch {epoch}, batch 4 of 4"
    with pytest.raises(FloatingPointError, match=message):
        train_run(tmp_path / "run", settings)
    failure = json.loads((tmp_path / "run" / "failure.json").read_text())
    assert (failure["epoch"], failure["batch"], failure["step"]) == (epoch, 4, 4 * epoch)
    assert len(failure["samples"]) == 210 - 3 * 64
    assert not (tmp_path / "run" / "result.json").exists()
    assert not (tmp_path / "run" / "weights.safetensors").exists()
