"""Runs whose images may have several labels: plain loops, resumed, measured, asked, exported."""

from __future__ import annotations

import json
import math
import runpy
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image
from safetensors.torch import load_file
from torch.nn.functional import binary_cross_entropy_with_logits

from tfkd.advice.recommend import Task
from tfkd.calibration import fit_binary_temperature
from tfkd.data import Augmentation, DataSettings, MemoryImages, Source, load_data, make_loader
from tfkd.metrics import multi_label
from tfkd.models import create_model
from tfkd.report.run_page.write import write_run_report
from tfkd.report.terminal.several_labels import evaluation_lines_of_several, result_lines
from tfkd.runs import (
    SGD,
    Circumstances,
    Constant,
    MethodSettings,
    Recipe,
    RunDirectory,
    RunSettings,
    RunTeacher,
    make_run,
)
from tfkd.study.applicable import applicable
from tfkd.study.comparison import comparison
from tfkd.train import (
    MultiLabelEvaluation,
    evaluate_multi_label_run,
    evaluate_run,
    export_run,
    load,
    predict_files,
    train_run,
)
from tfkd.train.lesson import positive_weights
from tfkd.train.progress import Silent
from tfkd.train.seeds import weights_seed
from tfkd.train.trained.prediction import predictions
from tfkd.tune import Tuning

NAMES = ("red", "green", "blue")
SIZE = {"image_size": 8, "augmentation": "none", "validation_fraction": 0.2}
SEPARATED = DataSettings("folder", label_separator=";", **SIZE)
COLUMNS = DataSettings("folder", label_columns=NAMES, **SIZE)
RATE = 0.05


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Thirty small images, and two tables that say which colours they have, one with gaps."""
    folder = tmp_path_factory.mktemp("several") / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    names, columns = ["path,labels"], ["path,red,green,blue"]
    for number in range(30):
        has = rng.random(3) < 0.45
        pixels = rng.integers(0, 140, (8, 8, 3)) + 100 * has
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02}.png")
        names.append(f"{number:02}.png,{';'.join(np.array(NAMES)[has])}")
        cells = ["" if number % 5 == label else str(int(own)) for label, own in enumerate(has)]
        columns.append(",".join([f"{number:02}.png", *cells]))
    (folder / "names.csv").write_text("\n".join(names) + "\n")
    (folder / "columns.csv").write_text("\n".join(columns) + "\n")
    return folder


def asked(data: DataSettings, name: str = "cross_entropy", **more: Any) -> RunSettings:
    teacher = more.pop("teacher", None)
    numbers = more.pop("numbers", {})
    recipe = Recipe(
        data=data,
        epochs=2,
        batch_size=8,
        optimizer=SGD(learning_rate=RATE, weight_decay=0.0),
        schedule=Constant(warmup_epochs=0.0),
        **more,
    )
    return RunSettings(recipe, MethodSettings(name, numbers=numbers), teacher)


def where(photos, data: DataSettings, **more: Any) -> Circumstances:
    table = "columns.csv" if data.label_form.columns else "names.csv"
    return Circumstances(labels=str(photos / table), **more)


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "plain"
    return path, train_run(path, asked(COLUMNS), where(photos, COLUMNS, save_epochs=(1,)))


def by_hand(photos, data, loss):
    """The weights of a plain loop with the same order of samples; `loss(logits, batch)`."""
    found = load_data(data, root=where(photos, data).places)
    torch.manual_seed(weights_seed(0))
    model = create_model("small_cnn", num_classes=3, in_channels=3)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), RATE, momentum=0.9)
    loader = make_loader(found, found.train, batch_size=8, train=True, seed=0, channels_last=True)
    for epoch in range(2):
        for batch in loader.batches(epoch):
            optimizer.zero_grad()
            loss(model(batch.images), batch).backward()
            optimizer.step()
    return model.state_dict()


def known_mean(logits, labels, **more):
    """Torch's own loss over the labels that somebody has given."""
    known = labels != -100
    return binary_cross_entropy_with_logits(logits[known], labels[known], **more)


def assert_close(path, weights):
    kept = load_file(path / "weights.safetensors")
    for name, value in weights.items():
        torch.testing.assert_close(kept[name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_cross_entropy_is_a_loop_with_torchs_loss(photos, trained):
    wanted = by_hand(photos, COLUMNS, lambda logits, batch: known_mean(logits, batch.labels))
    assert_close(trained[0], wanted)


def test_label_smoothing_is_a_loop_with_smoothed_labels(photos, tmp_path):
    settings = asked(SEPARATED, "label_smoothing", numbers={"alpha": 0.2})
    train_run(tmp_path / "run", settings, where(photos, SEPARATED))
    wanted = by_hand(
        photos,
        SEPARATED,
        lambda logits, batch: known_mean(logits, 0.8 * batch.labels + 0.1),
    )
    assert_close(tmp_path / "run", wanted)


def test_distillation_is_a_loop_with_a_bernoulli_teacher(photos, trained, tmp_path):
    teacher = RunTeacher(run=str(trained[0]))
    settings = asked(
        COLUMNS, "normal_kd", teacher=teacher, numbers={"alpha": 0.4, "temperature": 3.0}
    )
    train_run(tmp_path / "run", settings, where(photos, COLUMNS))
    network = RunDirectory(trained[0]).load_model()

    def loss(logits, batch):
        with torch.no_grad():
            taught = (network(batch.images) / 3.0).sigmoid()
        known = batch.labels != -100
        entropy = -(taught * taught.log() + (1 - taught) * (1 - taught).log())
        terms = binary_cross_entropy_with_logits(logits / 3.0, taught, reduction="none") - entropy
        return 0.6 * known_mean(logits, batch.labels) + 0.4 * 9.0 * terms[known].mean()

    assert_close(tmp_path / "run", by_hand(photos, COLUMNS, loss))


def test_balanced_weights_are_torchs_positive_weights(photos, tmp_path):
    settings = asked(COLUMNS, class_weights="balanced")
    train_run(tmp_path / "run", settings, where(photos, COLUMNS))
    data = load_data(COLUMNS, root=where(photos, COLUMNS).places)
    has, lacks = ((data.train.labels == value).sum(0) for value in (1, 0))
    assert positive_weights(settings.recipe, data).tolist() == pytest.approx((lacks / has).tolist())

    def loss(logits, batch):
        known = batch.labels != -100
        weights = (lacks / has).expand_as(logits)[known]
        return known_mean(logits, batch.labels, pos_weight=weights)

    assert_close(tmp_path / "run", by_hand(photos, COLUMNS, loss))


def test_half_precision_accumulation_and_an_average_go_together(photos, tmp_path):
    settings = asked(
        COLUMNS,
        "tf_kd_reg",
        mixed_precision="bf16",
        gradient_accumulation=2,
        weight_average=0.5,
    )
    result = train_run(tmp_path / "run", settings, where(photos, COLUMNS, measure_test=False))
    assert result.multi_label.test is None
    assert math.isfinite(result.multi_label.validation.nll)


def test_without_a_validation_split_there_is_no_temperature(photos, tmp_path):
    data = replace(SEPARATED, validation_fraction=0.0)
    result = train_run(tmp_path / "run", asked(data), where(photos, data))
    assert (result.multi_label.validation, result.multi_label.calibrated) == (None, None)
    found = evaluate_multi_label_run(tmp_path / "run", calibrated=True)
    assert (found.temperature, found.calibrated) == (None, None)
    assert "no validation split" in found.why
    assert RunDirectory(tmp_path / "run").history()[-1].validation_mean_average_precision is None
    assert "Without a temperature: the run has" in "\n".join(evaluation_lines_of_several(found))
    assert len(list(result_lines(result))) == 10


def test_an_interrupted_run_goes_on_bit_for_bit(photos, trained, tmp_path):
    class Stop(Silent):
        steps = 0

        def batch(self, done, loss):
            self.steps += 1
            if self.steps == 4:
                raise KeyboardInterrupt

    path, settings = tmp_path / "run", asked(COLUMNS)
    often = where(photos, COLUMNS, checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        train_run(path, settings, often, progress=Stop())
    assert (path / "checkpoint.pt").is_file()
    result = train_run(path, settings, often)
    one, other = (load_file(run / "weights.safetensors") for run in (trained[0], path))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert result.multi_label == trained[1].multi_label
    assert result.train == trained[1].train
    histories = [RunDirectory(run).history() for run in (trained[0], path)]
    assert [[r.train_loss, r.validation_mean_average_precision] for r in histories[0]] == [
        [r.train_loss, r.validation_mean_average_precision] for r in histories[1]
    ]


def test_what_is_measured_is_measured_again(photos, trained, finished_run):
    path, result = trained
    logits, labels = RunDirectory(path).test_logits()
    metrics = result.multi_label.test
    wanted = multi_label.all_metrics(logits, labels)
    assert {name: getattr(metrics, name) for name in wanted} == wanted
    assert (labels == -100).any()
    assert result.test is None and result.calibrated is None
    found = evaluate_multi_label_run(path, calibrated=True)
    assert isinstance(found, MultiLabelEvaluation)
    assert found.metrics == metrics
    assert found.calibrated == result.multi_label.calibrated.test
    assert [score.images for score in found.labels] == (labels == 1).sum(0).tolist()
    again = evaluate_multi_label_run(path, split="validation", calibrated=True)
    assert again.metrics == result.multi_label.validation
    snapshot = evaluate_multi_label_run(path, epoch=1, calibrated=True)
    assert snapshot.temperature != found.temperature
    data = load_data(COLUMNS, root=where(photos, COLUMNS).places)
    network = RunDirectory(path).load_model()
    [batch] = make_loader(data, data.validation, batch_size=99, train=False).batches(0)
    with torch.no_grad():
        temperature = fit_binary_temperature(network(batch.images), batch.labels)
    assert found.temperature == pytest.approx(temperature, rel=1e-4)
    last = RunDirectory(path).history()[-1]
    assert last.validation_mean_average_precision == again.metrics.mean_average_precision
    assert last.validation_accuracy == again.metrics.subset_accuracy
    with pytest.raises(ValueError, match=r"Measure it with tfkd\.train\.evaluate_multi_label_run"):
        evaluate_run(path)
    with pytest.raises(ValueError, match=r"Measure it with tfkd\.train\.evaluate_run"):
        evaluate_multi_label_run(finished_run.path)


def test_predictions_are_sigmoids(photos, trained):
    path, files = trained[0], [photos / "03.png", photos / "none.png", photos / "04.png"]
    one, bad, other = predict_files(path, files)
    network = load(path)
    images = torch.stack([network.preprocess(file) for file in (files[0], files[2])])
    for found, row in zip((one, other), network.logits(images).sigmoid().tolist(), strict=True):
        assert dict(found.classes) == pytest.approx(dict(zip(NAMES, row, strict=True)), abs=1e-6)
        assert [p for _, p in found.classes] == pytest.approx(sorted(row, reverse=True), abs=1e-6)
        assert set(found.labels) == {name for name, p in zip(NAMES, row, strict=True) if p > 0.5}
    assert bad.error is not None and bad.labels is None
    [few] = network.predict(files[0], top=1)
    assert few.classes == ((one.classes[0][0], pytest.approx(one.classes[0][1], abs=1e-6)),)
    assert few.labels == one.labels
    logits = torch.tensor([[2.0, -1.0, 0.5]])
    [two] = predictions(logits, NAMES, [None], top=1, several_labels=True)
    assert two.labels == ("red", "blue")
    assert two.classes == (("red", pytest.approx(1 / (1 + math.exp(-2.0)))),)


def test_an_export_says_several_labels(photos, trained, tmp_path):
    export_run(trained[0], format="safetensors", out=tmp_path / "out", least_images=1)
    model = json.loads((tmp_path / "out" / "model.json").read_text())
    assert model["several_labels"] is True
    assert model["test"]["brier"] == trained[1].multi_label.test.brier
    probabilities = runpy.run_path(str(tmp_path / "out" / "prepare.py"))["probabilities"]
    logits = np.array([[2.0, -900.0, 0.0]])
    temperature = trained[1].multi_label.calibrated.temperature
    assert model["temperature"] == temperature
    assert probabilities(logits).tolist() == [
        pytest.approx([1 / (1 + math.exp(-2.0 / temperature)), 0.0, 0.5])
    ]
    assert "p > 0.5" in (tmp_path / "out" / "README.txt").read_text()


def test_a_teacher_of_one_label_is_refused(photos, trained, finished_run, tmp_path):
    one = RunTeacher(run=str(finished_run.path))
    with pytest.raises(ValueError, match="trained with several labels an image"):
        settings = asked(COLUMNS, "tf_kd_self", teacher=one)
        train_run(tmp_path / "run", settings, where(photos, COLUMNS))
    student = RunSettings(
        finished_run.settings.recipe, MethodSettings("normal_kd"), RunTeacher(run=str(trained[0]))
    )
    with pytest.raises(ValueError, match="trained with one label an image"):
        train_run(tmp_path / "run", student)
    assert not (tmp_path / "run" / "settings.json").exists()


def test_what_is_for_one_label_is_refused_at_once(trained, tmp_path):
    taught = RunTeacher(run="x", cache="float32")
    for change, words in (
        ({"name": "ols"}, "several labels, cross_entropy, label_smoothing, .* for one label"),
        ({"mixup": 0.2}, "no `mixup` where an image may have several labels, got 0.2"),
        ({"cutmix": 1.0}, "no `cutmix`"),
        ({"name": "normal_kd", "teacher": taught}, "no `teacher_cache` .* got float32"),
    ):
        with pytest.raises(ValueError, match=words):
            asked(COLUMNS, **change)
    with pytest.raises(ValueError, match=r"`dialect` tfkd .* got released"):
        RunSettings(Recipe(data=COLUMNS), MethodSettings("label_smoothing", "released"))
    base = Recipe(data=SEPARATED)
    words = "images with one label each .*got `label_separator`.*`tfkd train`"
    with pytest.raises(ValueError, match=words):
        comparison(base, teacher="wide_cnn", methods=("label_smoothing",), seeds=2)
    with pytest.raises(ValueError, match=words):
        applicable(base, teacher="wide_cnn")
    with pytest.raises(ValueError, match=words):
        Tuning(recipe=base, teacher="wide_cnn")
    with pytest.raises(ValueError, match=words):
        Task(
            base, "wide_cnn", "x", 1.0, "accuracy", tmp_path, Circumstances(), Silent()
        ).recommend()
    with pytest.raises(ValueError, match=r"one label an image for a page, .*tfkd evaluate"):
        write_run_report(trained[0])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"label_separator": ";", "label_columns": ("a", "b")}, "or `label_columns`, got both"),
        ({"label_separator": ""}, "what stands between two names, as ; or |, got ''"),
        ({"label_columns": ("a",)}, "at least 2 columns as `label_columns`.*got 'a'"),
        ({"label_columns": ("a", "b", "a")}, "each of `label_columns` once, got 'a' twice"),
        ({"label_separator": ";", "sampler": "balanced"}, "`sampler` shuffled with"),
        ({"label_separator": ";", "name": "digits"}, "no `label_separator` for digits"),
    ],
)
def test_settings_that_cannot_be(values, words):
    with pytest.raises(ValueError, match=words.replace("|", r"\|")):
        DataSettings(**{"name": "folder", **values})


def several_in_memory(root: str | None) -> Source:
    """Data of one's own that have several labels an image."""
    images = MemoryImages(torch.zeros(9, 1, 8, 8, dtype=torch.uint8), torch.zeros(9, 3))
    return Source(("a", "b", "c"), images, images, (0.0,), (1.0,), 8, Augmentation())


def test_several_labels_come_from_a_table_alone(monkeypatch):
    own = ModuleType("several_of_my_own")
    own.images = several_in_memory
    monkeypatch.setitem(sys.modules, "several_of_my_own", own)
    with pytest.raises(TypeError, match=r"Expected labels of shape \(N,\) .*are for a table"):
        load_data(DataSettings("several_of_my_own:images"))


def test_it_is_typed_and_stored_and_nothing_else_is(photos, trained, finished_run):
    settings, circumstances = make_run(
        {"labels": str(photos / "columns.csv"), "label-columns": "red, green,blue"}
    )
    assert settings.recipe.data.label_columns == NAMES
    assert settings.recipe.data.name == "folder"
    assert circumstances.labels == str(photos / "columns.csv")
    stored = json.loads((trained[0] / "settings.json").read_text())
    assert stored["recipe"]["data"]["label_columns"] == list(NAMES)
    assert "label_separator" not in stored["recipe"]["data"]
    assert RunDirectory(trained[0]).settings() == asked(COLUMNS)
    for file in ("settings.json", "metrics.jsonl", "result.json"):
        text = (finished_run.path / file).read_text()
        assert "label_" not in text
        assert "average_precision" not in text
    assert DataSettings(label_separator=None, label_columns=None) == DataSettings()
    with pytest.raises(TypeError, match="`label_separator` to be a str"):
        DataSettings("folder", label_separator=3)  # type: ignore[arg-type]
