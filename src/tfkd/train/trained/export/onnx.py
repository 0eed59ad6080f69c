"""A graph in ONNX, for onnxruntime and the many programs that read it."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import torch
from torch import Tensor

from tfkd.train.trained.export.description import preprocessing
from tfkd.train.trained.export.format import Format
from tfkd.train.trained.export.torch_export import dynamic_batch, example, not_traceable
from tfkd.train.trained.network import TrainedNetwork


class Onnx(Format):
    """`model.onnx`, from `images` to `logits`."""

    file = "model.onnx"

    def check(self) -> None:
        """Raise `ModuleNotFoundError` where a package of the extra `export` is missing."""
        try:
            import onnx  # noqa: F401
            import onnxruntime  # noqa: F401
            import onnxscript  # noqa: F401
        except ModuleNotFoundError as error:
            package = str(error.name).partition(".")[0]
            raise ModuleNotFoundError(
                f'Export to ONNX needs the package {package}: pip install "tfkd[export]"',
                name=package,
            ) from error

    def write(self, trained: TrainedNetwork, folder: Path) -> None:
        """Write the graph, with classes and preprocessing among its metadata."""
        try:
            with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
                program = torch.onnx.export(
                    trained.network,
                    (example(trained),),
                    dynamo=True,
                    verbose=False,
                    input_names=["images"],
                    output_names=["logits"],
                    dynamic_shapes=(dynamic_batch(),),
                )
        # Whatever in a network cannot be traced, or has no operator.
        except Exception as error:
            raise ValueError(not_traceable(trained, error)) from error
        if program is None:
            raise RuntimeError("Expected a program from torch.onnx, got none.")
        program.model.metadata_props.update(
            classes=json.dumps(trained.classes),
            preprocessing=json.dumps(preprocessing(trained.identity)),
        )
        program.save(folder / self.file, external_data=False)

    def logits(self, trained: TrainedNetwork, folder: Path, images: Tensor) -> list[Tensor]:
        """Return what onnxruntime answers, on the CPU."""
        import onnxruntime

        session = onnxruntime.InferenceSession(
            folder / self.file, providers=["CPUExecutionProvider"]
        )
        (logits,) = session.run(["logits"], {"images": images.numpy()})
        return [torch.from_numpy(logits)]

    def lines(self, trained: TrainedNetwork) -> str:
        """Return the lines for onnxruntime."""
        return (
            "import onnxruntime\n\n"
            'session = onnxruntime.InferenceSession("model.onnx")\n'
            '(logits,) = session.run(["logits"], {"images": images})'
        )
