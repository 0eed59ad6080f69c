"""How a run comes about, and what its network is used for."""

from typing import TYPE_CHECKING

from tfkd._lazy import lazy_names

if TYPE_CHECKING:
    from tfkd.train.run import train_run
    from tfkd.train.trained.evaluate import evaluate_run
    from tfkd.train.trained.evaluation import Evaluation
    from tfkd.train.trained.export.export import export_run
    from tfkd.train.trained.network import TrainedNetwork, load
    from tfkd.train.trained.predict import predict_files
    from tfkd.train.trained.prediction import Prediction
    from tfkd.train.trained.several_labels import (
        MultiLabelEvaluation,
        evaluate_multi_label_run,
    )

__all__ = [
    "Evaluation",
    "MultiLabelEvaluation",
    "Prediction",
    "TrainedNetwork",
    "evaluate_multi_label_run",
    "evaluate_run",
    "export_run",
    "load",
    "predict_files",
    "train_run",
]

__getattr__ = lazy_names(
    __name__,
    {
        "run": ("train_run",),
        "trained.evaluate": ("evaluate_run",),
        "trained.evaluation": ("Evaluation",),
        "trained.export.export": ("export_run",),
        "trained.network": ("TrainedNetwork", "load"),
        "trained.predict": ("predict_files",),
        "trained.prediction": ("Prediction",),
        "trained.several_labels": ("MultiLabelEvaluation", "evaluate_multi_label_run"),
    },
)
