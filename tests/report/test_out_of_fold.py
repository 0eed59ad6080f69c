"""Labels that look wrong to the networks of other folds, on the page of a study."""

import numpy as np
import torch
from PIL import Image

from tfkd.data import DataSettings
from tfkd.data.images import ImageFiles
from tfkd.report.out_of_fold import labels_out_of_fold, labels_section
from tfkd.report.pictures.answers import Answers
from tfkd.report.write import write_report
from tfkd.runs import SGD, Circumstances, MethodSettings, Recipe
from tfkd.study.plan import Arm, Study
from tfkd.train import train_run

CLASSES = ("<b>cat", "dog")


def fold(root, number, labels):
    """A fold of which the network takes the first half for cats, surely but for the last image."""
    count = len(labels)
    paths = [f"{number}-{place}.png" for place in range(count)]
    for path in paths:
        Image.fromarray(np.full((9, 7, 3), 30 * number, dtype=np.uint8)).save(root / path)
    images = ImageFiles(root, ["other.png", *paths], torch.tensor([0, *labels]))
    sure = torch.full((count,), 4.0)
    sure[-1] = 0.5
    sign = torch.where(torch.arange(count) < count // 2, 1.0, -1.0)
    logits = torch.stack([sign * sure, -sign * sure], dim=1)
    return Answers("test", logits, torch.tensor(labels), images, torch.arange(1, count + 1))


def test_folds_are_judged_together(tmp_path):
    parts = [fold(tmp_path, 1, [0, 0, 1, 1, 1, 1]), fold(tmp_path, 2, [0, 0, 0, 1, 1, 0])]
    section = labels_section(parts, CLASSES, 3)
    assert section.answer.startswith("12 images were looked at")
    assert "there is 1 candidate for a wrong label." in section.answer
    assert "Only 2 of 3 folds" in section.answer
    (gallery,) = section.galleries
    # Image 2 of the first fold is called a dog, surely a cat; the last of the second is doubted.
    assert [picture.path for picture in gallery.pictures] == ["1-2.png"]
    assert (gallery.pictures[0].label, gallery.pictures[0].other) == ("dog", "<b>cat")


def test_a_study_without_folds_has_no_such_section(small_study):
    study, root, _ = small_study
    assert labels_out_of_fold(study, root) is None


def test_the_folds_of_a_study_are_found(photographs, tmp_path):
    recipe = Recipe(
        data=DataSettings("folder", image_size=16, augmentation="none", folds=3),
        epochs=6,
        batch_size=16,
        optimizer=SGD(learning_rate=0.05, weight_decay=1e-4),
    )
    study = Study("folds", "?", (Arm("a/cross_entropy", MethodSettings(), recipe),), seeds=3)
    root = tmp_path / "study"
    circumstances = Circumstances(data_root=str(photographs.root / "train"))
    for run in study.runs(root):
        train_run(root / run.name, run.settings, circumstances)
    html, text, _ = (file.read_text() for file in write_report(study, root, tmp_path))
    images = [path for path in photographs.root.glob("train/*/*") if path.is_file()]
    assert f"{len(images)} images were looked at, each by" in html
    words = html.partition('id="verdicts"')[2].partition('id="labels"')[0]
    assert "over n folds" in words
    assert "seed" not in words
    (gallery,) = labels_out_of_fold(study, root).galleries
    planted = photographs.planted["train"].items()
    wanted = {path.removeprefix("train/"): pair for path, pair in planted}
    first = gallery.pictures[: len(wanted)]
    assert {picture.path: (picture.label, picture.other) for picture in first} == wanted
    assert html.count("<img") == len(gallery.pictures)
    assert '<a href="#labels">' in html
    assert html.index('id="tables"') < html.index('id="labels"') < html.index('id="curves"')
    assert text.count("here.png") >= len(wanted)
    (root / "a/cross_entropy/seed-1/test.safetensors").write_bytes(b"damaged")
    section = labels_out_of_fold(study, root, data_root=str(tmp_path / "nowhere"))
    assert "Only 2 of 3 folds" in section.answer
    assert "no pictures here" in section.notes[1]
    assert not any(picture.address for picture in section.galleries[0].pictures)
