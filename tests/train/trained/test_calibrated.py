"""A run's temperature: where it comes from, and what evaluate and predict make of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfkd import fit_temperature
from tfkd.cli import main
from tfkd.data import DataSettings
from tfkd.metrics import (
    all_metrics,
    area_under_risk_coverage,
    calibration_error_by_class,
    choose_norm,
    normalized_max_logit,
)
from tfkd.runs import Circumstances, Recipe, RunDirectory, RunSettings
from tfkd.train import evaluate_run, load, predict_files, train_run
from tfkd.train.trained.temperature import validation_logits

RUN = Path(__file__).parents[3] / "results" / "one-run"


@pytest.fixture(scope="module")
def without_validation(tmp_path_factory):
    """A run that was trained on every training image."""
    path = tmp_path_factory.mktemp("without") / "run"
    data = DataSettings("digits", train_size=40, validation_fraction=0.0)
    train_run(path, RunSettings(Recipe(data=data, epochs=1, batch_size=40)))
    return path


@pytest.fixture(scope="module")
def of_few(tmp_path_factory):
    """A run whose temperature was fitted on 40 images."""
    path = tmp_path_factory.mktemp("few") / "run"
    data = DataSettings("digits", train_size=400, validation_fraction=40 / 1201)
    train_run(path, RunSettings(Recipe(data=data, epochs=3, batch_size=40)))
    return path


@pytest.fixture
def of_0_1(tmp_path, sealed):
    """A run whose result knows of no temperature, as those of 0.1 do."""
    run = tmp_path / "old"
    shutil.copytree(RUN, run)
    result = json.loads((run / "result.json").read_text())
    del result["calibrated"]
    for split in ("test", "validation"):
        del result[split]["augrc"], result[split]["smooth_ece"]
    (run / "result.json").write_text(json.dumps(result))
    sealed(run)
    return run


@pytest.fixture
def image(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "image.png")
    return tmp_path / "image.png"


def test_an_evaluation_is_told_after_the_runs_temperature_too():
    directory = RunDirectory(RUN)
    logits, labels = directory.test_logits()
    result = directory.result()
    found = evaluate_run(RUN, calibrated=True)
    calibration = found.calibration
    assert calibration.temperature == result.calibrated.temperature
    after = logits.double() / calibration.temperature
    for name, value in all_metrics(after, labels).items():
        assert getattr(calibration.metrics, name) == pytest.approx(value, abs=1e-4)
        recorded = getattr(result.calibrated.test, name)
        assert getattr(calibration.metrics, name) == pytest.approx(recorded, abs=4e-3)
    for errors, own in ((calibration.by_class, logits), (calibration.by_class_after, after)):
        assert errors == pytest.approx(calibration_error_by_class(own, labels), abs=4e-3)
    assert calibration.before.value == found.smooth_ece
    assert calibration.after.value == calibration.metrics.smooth_ece
    assert evaluate_run(RUN).calibration is None


def test_of_a_run_of_0_1_it_is_fitted_now(of_0_1):
    before = RunDirectory(RUN).result().calibrated.temperature
    found = evaluate_run(of_0_1, calibrated=True).calibration
    assert found.temperature == pytest.approx(before, rel=1e-4)
    assert load(of_0_1).temperature == found.temperature


def test_of_a_snapshot_it_is_fitted_on_its_own_logits(finished_run):
    run = RunDirectory(finished_run.path)
    logits, labels = validation_logits(run, run.load_model(1))
    found = evaluate_run(finished_run.path, epoch=1, calibrated=True).calibration
    assert found.temperature == pytest.approx(fit_temperature(logits, labels))
    assert found.temperature != run.result().calibrated.temperature


def test_another_folder_is_measured_with_the_same_temperature(photographs, tmp_path):
    result = RunDirectory(photographs.run).result()
    moved = tmp_path / "run"
    shutil.copytree(photographs.run, moved)  # its own data need not be there for that
    found = evaluate_run(moved, on=photographs.folder / "test", calibrated=True)
    assert found.calibration.temperature == result.calibrated.temperature
    assert found.calibration.metrics.nll == pytest.approx(result.calibrated.test.nll, rel=1e-4)


def test_without_a_validation_split_it_is_said(without_validation, image, capsys):
    assert RunDirectory(without_validation).result().calibrated is None
    found = evaluate_run(without_validation, calibrated=True).calibration
    assert (found.temperature, found.metrics, found.after) == (None, None, None)
    assert found.why == "the run has no validation split, on which one would be fitted."
    with pytest.raises(ValueError, match="Expected a run with a validation split"):
        load(without_validation).predict(image, calibrated=True)
    assert main(["predict", str(without_validation), str(image), "--calibrated"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and "with a validation split" in said.err and said.err.count("\n") == 1
    assert main(["evaluate", str(without_validation), "--logit-norm", "auto"]) == 2
    assert "Expected --logit-norm to be a number" in capsys.readouterr().err
    assert main(["evaluate", str(without_validation), "--logit-norm", "2"]) == 0
    out = capsys.readouterr().out
    assert "Without a temperature: the run has no validation split" in out
    assert "By the largest logit over the 2-norm: AURC" in out and "after T" not in out
    assert main(["evaluate", str(without_validation), "--csv", "-"]) == 0
    header, first, *_ = capsys.readouterr().out.splitlines()
    assert header.endswith(",support,calibration_error,calibrated_error") and first.endswith(",")


def test_one_fitted_on_few_images_is_said_to_be_and_used_only_where_it_is_asked_for(
    of_few, image, tmp_path, capsys
):
    run, image, result = str(of_few), str(image), RunDirectory(of_few).result()
    images = result.samples.validation
    assert images == 40
    assert main(["evaluate", run]) == 0
    said = " ".join(capsys.readouterr().out.split())
    fitted = f"T, fitted on {images} validation images, divides the logits. So few fit it badly"
    assert f"{fitted}: tfkd predict --calibrated and tfkd export leave it out." in said

    assert main(["predict", run, image, "--calibrated"]) == 2
    said = capsys.readouterr()
    assert f"--calibrated that was fitted on at least 50 images, got one of {images}" in said.err
    assert "--least-images 1" in said.err and said.out == "" and said.err.count("\n") == 1
    asked = ["predict", run, image, "--calibrated", "--least-images", "1", "--json"]
    assert main(asked) == 0
    said = capsys.readouterr()
    [after] = load(run).predict(image, calibrated=True, least_images=1)
    told = json.loads(said.out)["predictions"][0]["probability"]
    assert told == pytest.approx(after.classes[0][1], rel=1e-4)
    assert said.err == f"tfkd: {fitted}.\n"
    with pytest.raises(ValueError, match="Expected a temperature for `calibrated`"):
        load(run).predict(image, calibrated=True)

    for more, temperature, told in (
        ([], None, f"without a temperature: the run has {images} validation images, which fit"),
        (["--least-images", "1"], result.calibrated.temperature, f"{fitted}."),
    ):
        out = tmp_path / f"exported{len(more)}"
        assert main(["export", run, "--out", str(out), *more]) == 0
        assert told in " ".join(capsys.readouterr().out.split())
        model = json.loads((out / "model.json").read_text())
        assert (model["temperature"], model["temperature_fitted_on"]) == (temperature, images)
        assert (model["calibrated_test"] is None) == (temperature is None)


def test_one_fitted_on_more_is_used_with_a_remark(image, capsys):
    assert main(["predict", str(RUN), str(image), "--calibrated"]) == 0
    said = capsys.readouterr().err
    assert said == (
        "tfkd: T, fitted on 120 validation images, divides the logits. So few fit it badly.\n"
    )
    assert main(["predict", str(RUN), str(image)]) == 0
    assert capsys.readouterr().err == ""


def test_a_table_is_said_to_be_written(image, tmp_path, capsys):
    table = tmp_path / "answers.csv"
    assert main(["predict", str(RUN), str(image), str(image), "--csv", str(table)]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"2 images: {table}\n", "")
    assert len(table.read_text().splitlines()) == 3


def test_images_without_labels_are_not_measured_but_said_to_be_classified(
    photographs, tmp_path, capsys
):
    flat, deep = tmp_path / "flat", tmp_path / "deep"
    shutil.copytree(photographs.folder / "test" / "ant", flat)
    shutil.copytree(flat, deep / "2024")
    (tmp_path / "empty").mkdir()
    for folder in (flat, deep):
        assert main(["evaluate", str(photographs.run), "--on", str(folder)]) == 2
        error = capsys.readouterr().err
        instead = f"To classify unlabelled images: tfkd predict {photographs.run} {folder}"
        assert error.endswith(f"{instead}\n") and error.count("\n") == 1
    assert main(["evaluate", str(photographs.run), "--on", str(tmp_path / "empty")]) == 2
    assert "tfkd predict" not in capsys.readouterr().err


def test_predictions_are_those_of_the_tempered_logits(image):
    trained = load(RUN)
    logits = trained.logits(trained.preprocess(image)[None]).double() / trained.temperature
    wanted = sorted(logits.softmax(1)[0].tolist(), reverse=True)[:3]
    [plain], [after] = (trained.predict(image, calibrated=yes) for yes in (False, True))
    assert [name for name, _ in after.classes] == [name for name, _ in plain.classes]
    assert [p for _, p in after.classes] == pytest.approx(wanted)
    assert [p for _, p in plain.classes] != pytest.approx(wanted)
    [streamed] = predict_files(RUN, [image], calibrated=True)
    assert [p for _, p in streamed.classes] == pytest.approx(wanted, rel=1e-5)


def test_aurc_by_the_logits_norm(capsys):
    directory = RunDirectory(RUN)
    logits, labels = directory.test_logits()
    found = evaluate_run(RUN, logit_norm=2).selective
    confidence = normalized_max_logit(logits, 2)
    wanted = area_under_risk_coverage(logits, labels, confidence=confidence)
    assert (found.norm, found.chosen) == (2, False)
    assert found.aurc == pytest.approx(wanted, abs=1e-5)
    best = choose_norm(*validation_logits(directory, directory.load_model()))
    found = evaluate_run(RUN, logit_norm="auto").selective
    assert (found.norm, found.chosen) == (best, True)
    for words in (["-1"], ["x"], ["nan"]):
        assert main(["evaluate", str(RUN), "--logit-norm", *words]) == 2
        assert "Expected --logit-norm" in capsys.readouterr().err


def test_a_run_may_leave_the_test_split_alone_and_be_measured_later(tmp_path, capsys):
    run = str(tmp_path / "run")
    words = ["train", "--out", run, "--train-size", "60", "--epochs", "1", "--batch-size", "30"]
    assert main([*words, "--measure-test", "no"]) == 0
    out = capsys.readouterr().out
    assert "validation split, 120 images" in out
    assert f"The test split was left alone; tfkd evaluate {run} measures it." in out
    assert RunDirectory(run).result().test is None
    assert not (tmp_path / "run" / "test.safetensors").exists()
    assert main(["report", run]) == 0
    page = (tmp_path / "run" / "report.md").read_text()
    assert "That was not measured on the test split" in page and "tfkd evaluate" in page
    capsys.readouterr()
    assert main(["evaluate", run]) == 0
    assert capsys.readouterr().out.startswith("test split of digits, 596 images\n  accuracy ")
    # The same numbers as of a run that looked.
    looked = train_run(tmp_path / "other", RunDirectory(run).settings(), Circumstances())
    later = evaluate_run(run, calibrated=True)
    assert later.metrics.nll == pytest.approx(looked.test.nll, rel=1e-5)
    assert later.calibration.metrics.nll == pytest.approx(looked.calibrated.test.nll, rel=1e-4)


def test_a_page_tells_both(tmp_path):
    from tfkd.report.run_page.write import write_run_report

    text = write_run_report(RUN, tmp_path)[1].read_text()
    result = RunDirectory(RUN).result()
    size, after = result.calibrated.temperature, result.calibrated.test
    assert f"One temperature, T = {size:.3g}, fitted on the 120 validation images" in text
    assert f"NLL {result.test.nll:.3f} becomes {after.nll:.3f}" in text
    assert f"| NLL, nats | {result.test.nll:.4g} | {after.nll:.4g} |" in text
    rows = [line for line in text.splitlines() if line.startswith(f"| after T = {size:.3g} |")]
    assert sum(int(row.split("|")[4]) for row in rows) == 596


def test_a_page_of_a_run_without_a_temperature_says_why(of_0_1, without_validation, tmp_path):
    from tfkd.report.run_page.write import write_run_report

    text = write_run_report(without_validation, tmp_path)[1].read_text()
    assert "It has no validation images, on which a temperature would be fitted." in text
    assert "after T" not in text.partition("Reliability by bin")[2].partition("As it comes")[0]
    text = write_run_report(of_0_1, tmp_path)[1].read_text()
    assert "fitted on 120 validation images now" in text
