"""Scores class by class, held against scikit-learn and against counting one by one."""

from __future__ import annotations

import shutil

import pytest
import torch
from sklearn import metrics as sk

from tfkd.metrics import all_metrics
from tfkd.runs import RunDirectory
from tfkd.train import evaluate_run, load
from tfkd.train.trained.evaluation import evaluation_of


def counted(labels, taken, classes):
    """Precision, recall, F1 and support of each class, counted one by one."""
    rows = []
    for k in range(classes):
        right = sum(t == k and p == k for t, p in zip(labels, taken, strict=True))
        support, called = labels.count(k), taken.count(k)
        precision = right / called if called else None
        recall = right / support if support else None
        f1 = 2 * right / (support + called) if support + called else None
        rows.append((precision, recall, f1, support))
    return rows


@pytest.mark.parametrize("classes", [2, 5, 9])
def test_scores_are_those_of_counting_and_of_scikit_learn(classes, chance):
    generator = torch.Generator().manual_seed(chance.randrange(1 << 32))
    labels = torch.randint(0, classes, (80,), generator=generator)
    labels = torch.cat([labels, torch.arange(classes)])
    logits = torch.randn(len(labels), classes, generator=generator)
    logits[torch.arange(len(labels)), labels] += 1.0
    if classes == 9:
        logits[labels == 7, 3] = 9.0
        logits[:, 7] = -9.0  # for which none is taken
        keep = labels != 8  # of which there is none
        logits, labels = logits[keep], labels[keep]
        logits[:, 8] = -9.0
    names = tuple(f"class {k}" for k in range(classes))
    found = evaluation_of(logits, labels, names, measured="drawn")
    true, taken = labels.tolist(), logits.argmax(1).tolist()

    rows = [(s.precision, s.recall, s.f1, s.support) for s in found.classes]
    assert rows == [pytest.approx(row) for row in counted(true, taken, classes)]
    assert [score.name for score in found.classes] == list(names)
    for k in range(classes):
        for other in range(classes):
            pairs = zip(true, taken, strict=True)
            assert found.confusion[k][other] == sum(pair == (k, other) for pair in pairs)
    present = sorted(set(true))
    assert found.balanced_accuracy == pytest.approx(
        sk.recall_score(true, taken, labels=present, average="macro")
    )
    assert found.macro_f1 == pytest.approx(
        sk.f1_score(true, taken, labels=present, average="macro", zero_division=0)
    )
    assert found.accuracy == pytest.approx(sk.accuracy_score(true, taken))
    if classes == 9:
        assert (found.classes[7].precision, found.classes[7].f1) == (None, 0.0)
        assert found.classes[8].recall is None and found.classes[8].f1 is None
        order = logits.argsort(1, descending=True)[:, :5].tolist()
        hits = sum(label in row for label, row in zip(true, order, strict=True))
        assert found.top5 == pytest.approx(hits / len(true))
    else:
        assert found.top5 is None
    for name, value in all_metrics(logits, labels).items():
        assert getattr(found, name) == getattr(found.metrics, name) == value
    assert found.samples == len(true)


def test_the_splits_of_a_run(photographs):
    result = RunDirectory(photographs.run).result()
    found = evaluate_run(photographs.run)
    for name in found.metrics.__struct_fields__:
        assert getattr(found, name) == pytest.approx(getattr(result.test, name), rel=1e-5)
    assert [score.support for score in found.classes] == [3, 5, 7, 9, 11, 13, 15]
    assert found.measured == f"test split of data in {photographs.folder} (test/), 63 images"
    assert evaluate_run(photographs.run, split="validation").samples == result.samples.validation


def test_every_image_of_another_folder(photographs, tmp_path, chance, write_images):
    own = evaluate_run(photographs.run)
    again = evaluate_run(photographs.run, on=photographs.folder / "test")
    assert again.confusion == own.confusion
    assert again.nll == pytest.approx(own.nll, rel=1e-5)
    # Of a data set with a test part, that is measured.
    whole = evaluate_run(photographs.run, on=photographs.folder)
    assert whole == again
    assert whole.measured == (f"{photographs.folder / 'test'}, 63 images of 7 of the 7 classes")
    # Some of the classes, by their names; the run's own data need not be there.
    moved = tmp_path / "run"
    shutil.copytree(photographs.run, moved)
    some = write_images(tmp_path / "some", chance, {"fox": 3, "bee": 4})
    found = evaluate_run(moved, on=some)
    trained = load(photographs.run)
    wanted = [[0] * 7 for _ in range(7)]
    for label, name in ((5, "fox"), (1, "bee")):
        for prediction in trained.predict(sorted((some / name).iterdir()), top=1):
            wanted[label][trained.classes.index(prediction.classes[0][0])] += 1
    assert [list(row) for row in found.confusion] == wanted
    assert [score.support for score in found.classes] == [0, 4, 0, 0, 0, 3, 0]
    assert found.measured == f"{some}, 7 images of 2 of the 7 classes"


@pytest.mark.parametrize("test", ["Test", "TESTING", "valid"])
def test_the_test_part_in_any_case(photographs, tmp_path, chance, write_images, test):
    write_images(tmp_path / "Train", chance, {"cat": 1, "dog": 1})
    write_images(tmp_path / test, chance, {"dog": 2})
    assert evaluate_run(photographs.run, on=tmp_path).samples == 2


def test_a_table_of_paths_and_labels(photographs, tmp_path, chance, write_images):
    write_images(tmp_path / "images", chance, {"cat": 2, "dog": 3})
    table = tmp_path / "labels.csv"
    table.write_text("path,label\nimages/cat/0.png,cat\nimages/cat/1.png,dog\n")
    found = evaluate_run(photographs.run, on=table)
    assert [score.support for score in found.classes] == [0, 0, 1, 1, 0, 0, 0]
    table.write_text("path,label,split\nimages/cat/0.png,cat,train\nimages/dog/2.png,dog,Test\n")
    found = evaluate_run(photographs.run, on=table)
    assert [score.support for score in found.classes] == [0, 0, 0, 1, 0, 0, 0]
    assert found.measured == f"{table}, 1 image of 1 of the 7 classes"
    table.write_text("path,label\nimages/cat/7.png,cat\n")
    with pytest.raises(FileNotFoundError, match=r"line 2.*7\.png"):
        evaluate_run(photographs.run, on=table)
    table.write_text("path,label\nimages/cat/0.png,kat\n")
    with pytest.raises(ValueError, match=r"'kat'.*Did you mean cat"):
        evaluate_run(photographs.run, on=table)


def test_what_cannot_be_measured(photographs, tmp_path, chance, write_images):
    write_images(tmp_path / "a", chance, {"cat": 1, "dgo": 1})
    with pytest.raises(ValueError, match=r"got 'dgo'\. Did you mean dog\?"):
        evaluate_run(photographs.run, on=tmp_path / "a")
    (tmp_path / "b" / "cat").mkdir(parents=True)
    with pytest.raises(ValueError, match="got none"):
        evaluate_run(photographs.run, on=tmp_path / "b")
    (tmp_path / "b" / "cat" / "bad.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"bad\.png"):
        evaluate_run(photographs.run, on=tmp_path / "b")
    with pytest.raises(FileNotFoundError, match="none"):
        evaluate_run(photographs.run, on=tmp_path / "none")
    with pytest.raises(ValueError, match="got both"):
        evaluate_run(photographs.run, on=tmp_path / "a", split="train")
