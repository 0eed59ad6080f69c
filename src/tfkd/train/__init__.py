"""How a run comes about."""

from tfkd.train.evaluate import evaluate_run
from tfkd.train.run import train_run

__all__ = ["evaluate_run", "train_run"]
