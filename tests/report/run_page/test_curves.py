"""What is said of a training is what its epochs show, and no more."""

from types import SimpleNamespace

import pytest

from tfkd.report.run_page.curves import how_training_went, loss_in_words
from tfkd.runs import SGD, EpochRecord, MethodSettings, Recipe


def said(losses, train_loss, *, images=200, method="cross_entropy", recipe=None):
    records = [
        EpochRecord(place, 0.1, train_loss, 0.47, 0.4, loss, 1.0)
        for place, loss in enumerate(losses, 1)
    ]
    recipe = recipe or Recipe(optimizer=SGD(), epochs=len(losses))
    run = SimpleNamespace(
        history=records,
        identity=SimpleNamespace(samples={"validation": images}),
        stored=SimpleNamespace(method=MethodSettings(method), recipe=recipe),
    )
    return how_training_went(run)


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ([1.108, 1.143, 1.151], "lowest after epoch 1 (1.108), and 1.151 after the last."),
        ([1.3, 1.2, 1.1], "lowest after the last epoch (1.100)."),
        ([1.0, 4.5, 2.87], "lowest after epoch 1 (1.000), 4.500 after epoch 2, and 2.870 after"),
        ([0.7], "was 0.700."),
        ([0.5, 0.7, 0.5], "lowest after the last epoch (0.500)."),
    ],
)
def test_the_loss_is_told_as_it_went(losses, words):
    assert words in loss_in_words(list(enumerate(losses, 1)))


RISING = [1.0, 0.8, 0.9, 1.2]


@pytest.mark.parametrize(
    ("losses", "train_loss", "options", "overfits"),
    [
        (RISING, 0.1, {}, True),
        (RISING, 0.7, {}, False),  # not far below
        (RISING, 0.1, {"images": 6}, False),  # too few to tell
        ([1.0, 4.5, 2.87], 0.1, {}, False),  # it fell at the end
        ([1.0, 0.8, 0.82], 0.1, {}, False),  # it hardly rose
        (RISING, 0.1, {"method": "tf_kd_reg"}, False),  # not the same loss
    ],
)
def test_overfitting_is_named_only_where_it_is_seen(losses, train_loss, options, overfits):
    section = said(losses, train_loss, **options)
    assert ("overfits" in section.answer) == overfits
    assert "by heart" not in section.answer
    assert "47.0\u00a0% of the training images and on 40.0\u00a0%" in section.answer


def test_shares_of_the_table_are_percent():
    (drawing,) = said(RISING, 0.1).drawings
    assert drawing.table.columns[3:5] == ("training accuracy %", "validation accuracy %")
    assert drawing.table.cells()[0][3:5] == ["47", "40"]
