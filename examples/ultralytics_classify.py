"""Ultralytics' classification with Tf-KD_reg; it has no label smoothing of its own.

Ultralytics is under the AGPL; see its licence before you use it. It is imported here alone.

python examples/ultralytics_classify.py FOLDER  # with train/CLASS/*.jpg and val/CLASS/*.jpg
"""

import sys
from typing import Any

import torch
import torch.nn.functional as F
from ultralytics.models.yolo.classify import ClassificationTrainer

import tfkd
from tfkd.loss.criterion import Criterion


class BatchLoss:
    """A criterion called as Ultralytics calls one, with what the network said and the batch."""

    def __init__(self, criterion: Criterion) -> None:
        self.criterion = criterion

    def __call__(self, said: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, Any]:
        """Return the loss, and what is shown of it: in validation the cross-entropy."""
        if isinstance(said, (tuple, list)):  # probabilities and logits
            loss = F.cross_entropy(said[1], batch["cls"])
        else:
            loss = self.criterion.to(said.device)(said, batch["cls"], batch["img"])
        return loss, {"loss": loss.detach()}


class TaughtTrainer(ClassificationTrainer):
    """Trains with a criterion of this package; `YOLO(...).train(trainer=TaughtTrainer)`."""

    def get_model(self, *args: Any, **kwargs: Any) -> torch.nn.Module:
        """Return Ultralytics' network, which keeps the loss that it is given."""
        model = super().get_model(*args, **kwargs)
        model.criterion = BatchLoss(tfkd.tf_kd_reg())
        return model


if __name__ == "__main__":
    trainer = TaughtTrainer(
        overrides={"model": "yolo26n-cls.yaml", "data": sys.argv[1], "epochs": 20, "imgsz": 64}
    )
    trainer.train()
