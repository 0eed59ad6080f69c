"""A record of a study with every field filled, of which tests change what they are about."""

from tfkd.runs import RunSettings
from tfkd.study.records import Record

BLANK = Record(
    study="test",
    run="",
    arm="",
    method="",
    dialect="tfkd",
    student="small_cnn",
    teacher=None,
    teacher_accuracy=None,
    seed=0,
    accuracy=0.5,
    nll=0.5,
    ece=0.02,
    brier=0.1,
    aurc=0.01,
    train_accuracy=1.0,
    train_loss=0.1,
    validation_accuracy=None,
    validation_nll=None,
    seconds=12.0,
    epochs=1,
    parameters=1,
    settings=RunSettings(),
)
