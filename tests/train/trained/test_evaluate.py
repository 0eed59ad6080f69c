"""Scores class by class, held against scikit-learn and against counting one by one."""

from __future__ import annotations

import shutil

import pytest
import torch
from msgspec.structs import replace
from sklearn import metrics as sk

from tfkd.data import load_data
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
    assert replace(whole, remarks=()) == again
    assert whole.remarks == ("left out, 84: images of train/: train/ant/0.png …",)
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
    with pytest.raises(FileNotFoundError, match=r"7\.png' \(line 2\)"):
        evaluate_run(photographs.run, on=table)
    table.write_text("path,label\nimages/cat/0.png,kat\n")
    with pytest.raises(ValueError, match=r"'kat'.*Did you mean cat"):
        evaluate_run(photographs.run, on=table)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,label", "cat/0.png,cat", "./cat/0.png,dog"], "lines 2 and 3 with labels"),
        (["path,label", "cat/0.png,cat", "{}/cat/0.png,cat"], "lines 2 and 3 with the same"),
        (["path,label", "cat/0.png,cat", "cat/1.png,"], r"a label in each row .*\(line 3\)"),
        (["path,label", "cat/0.png,cat,dog"], "2 columns in line 2 .* got 3"),
        (["path,label,split", "cat/0.png,cat,holdout"], "line 2 .* got 'holdout'"),
        (["path,label,split", "cat/0.png,cat,test", "cat/1.png,cat,"], "line 3 .* got ''"),
    ],
)
def test_a_table_is_checked_as_one_that_is_trained_on(
    photographs, tmp_path, chance, write_images, lines, message
):
    write_images(tmp_path, chance, {"cat": 2})
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(lines).format(tmp_path))
    with pytest.raises(ValueError, match=message):
        evaluate_run(photographs.run, on=table)


def test_what_is_not_measured_and_what_was_trained_on_is_said(
    photographs, tmp_path, chance, write_images
):
    some = write_images(tmp_path / "some", chance, {"cat": 2, "dog": 1})
    assert evaluate_run(photographs.run, on=some).remarks == ()
    trained, held_out = set(), set()
    stored = RunDirectory(photographs.run).stored()
    data = load_data(stored.recipe.data, seed=stored.seed, root=str(photographs.folder))
    for split, found in ((data.train, trained), (data.validation, held_out)):
        files = [photographs.folder / split.official.paths[n] for n in split.indices.tolist()]
        found.update(file for file in files if file.parent.name == "gnu")
    assert trained and held_out
    (some / "gnu").mkdir()
    for number, file in enumerate([*trained, *held_out]):
        shutil.copy(file, some / "gnu" / f"renamed {number}.png")
    shutil.copy(some / "dog" / "0.png", some / "loose.png")
    (some / "cat" / "notes.txt").write_text("no image")
    (some / "self").symlink_to(some)
    found = evaluate_run(photographs.run, on=some)
    count = 3 + len(trained) + len(held_out)
    assert found.samples == count
    assert set(found.remarks[:3]) == {
        "left out, 1: images outside of the folders of classes: loose.png",
        "left out, 1: links to a folder that is read already: self",
        "left out, 1: text, tables and annotations: cat/notes.txt",
    }
    (memory,) = found.remarks[3:]
    assert memory.startswith(f"{len(trained)} of {count} images are training images of the run")


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


def test_the_way_out_that_is_named_is_one(photographs, tmp_path, chance, write_images):
    """Of other data: --other-data where it would do, --on where that would, else nothing."""
    own = load(photographs.run).classes
    for name, classes, said in (
        ("same", own, r"all the same: --other-data\.$"),
        ("some", own[:3], r"got 3\. To measure it on images of its classes .*: --on\.$"),
        ("others", (*own[:6], "hen"), r"'hen' in its place\.$"),
    ):
        for part in ("train", "test"):
            write_images(tmp_path / name / part, chance, dict.fromkeys(classes, 3))
        place = str(tmp_path / name)
        with pytest.raises(ValueError, match=said):
            evaluate_run(photographs.run, data_root=place)
        if name == "same":
            assert evaluate_run(photographs.run, data_root=place, other_data=True).samples == 21
        if name == "some":
            assert evaluate_run(photographs.run, on=place).samples == 9


def test_which_weights_there_are(photographs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(photographs.run, run)
    finished = r"keeps: none; the final weights need no epoch\.$"
    with pytest.raises(FileNotFoundError, match=finished):
        evaluate_run(run, epoch=1)
    (run / "weights.safetensors").rename(tmp_path / "kept")
    with pytest.raises(FileNotFoundError, match=r"final weights of the run are gone\."):
        evaluate_run(run)
    (run / "result.json").unlink()
    for epoch in (None, 1):
        with pytest.raises(
            FileNotFoundError, match=r"is not finished\. Snapshots it keeps: none\.$"
        ):
            evaluate_run(run, epoch=epoch)
    (run / "snapshots").mkdir()
    (tmp_path / "kept").rename(run / "snapshots" / "epoch-2.safetensors")
    for epoch in (None, 1):
        with pytest.raises(FileNotFoundError, match=r"keeps: 2, of which `epoch` takes one\.$"):
            load(run, epoch)
