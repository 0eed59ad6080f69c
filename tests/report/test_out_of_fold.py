"""Labels that look wrong to the networks of other folds, on the page of a study."""

import shutil

import numpy as np
import torch
from PIL import Image

from tfkd.data.images import ImageFiles
from tfkd.report.out_of_fold import labels_out_of_fold, labels_section
from tfkd.report.page import make_page
from tfkd.report.pictures.answers import Answers
from tfkd.report.render import to_html, to_markdown
from tfkd.report.study_data import read_study

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


def test_folds_are_judged_together(small_study, tmp_path):
    study, root, records = small_study
    parts = [fold(tmp_path, 1, [0, 0, 1, 1, 1, 1]), fold(tmp_path, 2, [0, 0, 0, 1, 1, 0])]
    section = labels_section(parts, CLASSES, 3)
    assert "Of 12 images" in section.answer
    assert "Only 2 of 3 folds" in section.answer
    (gallery,) = section.galleries
    # Image 2 of the first fold is called a dog, surely a cat; the last of the second is doubted.
    assert [picture.path for picture in gallery.pictures] == ["1-2.png"]
    assert (gallery.pictures[0].label, gallery.pictures[0].other) == ("dog", "<b>cat")
    page = make_page(read_study(study, root, records=records), labels=section)
    html = to_html(page)
    assert html.count("<img") == 1
    assert "&lt;b&gt;cat" in html
    assert '<a href="#labels">' in html
    assert html.index('id="tables"') < html.index('id="labels"') < html.index('id="differences"')
    assert "1-2.png" in to_markdown(page)


def test_a_study_without_folds_has_no_such_section(small_study):
    study, root, _ = small_study
    assert labels_out_of_fold(study, root) is None


def test_the_folds_of_a_study_are_found(small_study, tmp_path, monkeypatch):
    study, root, _ = small_study
    shutil.copytree(root, tmp_path / "study")
    monkeypatch.setattr("tfkd.report.out_of_fold.folds_of", lambda arm: 3)
    section = labels_out_of_fold(study, tmp_path / "study")
    assert "Of 1192 images" in section.answer  # two seeds of digits' test images
    assert "Only 2 of 3 folds" in section.answer
    assert all(p.address.startswith("data:image/png") for p in section.galleries[0].pictures)
    (tmp_path / "study/small_cnn/cross_entropy/seed-1/test.safetensors").write_bytes(b"damaged")
    assert "Only 1 of 3 folds" in labels_out_of_fold(study, tmp_path / "study").answer
