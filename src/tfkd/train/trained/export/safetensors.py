"""Weights as safetensors, which hold numbers alone; for timm's networks as timm loads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tfkd.models import create_model, model_names
from tfkd.references import is_reference
from tfkd.runs import files
from tfkd.runs.tensors import load_weights
from tfkd.train.trained.export.description import crop_fraction, preprocessing
from tfkd.train.trained.export.format import Format
from tfkd.train.trained.network import TrainedNetwork

_ASKED = """\
network.eval()
with torch.no_grad():
    logits = network(torch.from_numpy(images))"""


class Safetensors(Format):
    """`model.safetensors`, and for timm's networks `config.json`, as timm's hub has them."""

    file = "model.safetensors"

    def write(self, trained: TrainedNetwork, folder: Path) -> None:
        """Write the weights, with classes and preprocessing among their metadata."""
        from safetensors.torch import save

        state = trained.network.state_dict()
        tensors = {name: value.cpu().contiguous().clone() for name, value in state.items()}
        metadata = {
            "format": "pt",
            "architecture": trained.recipe.student,
            "classes": json.dumps(trained.classes),
            "preprocessing": json.dumps(preprocessing(trained.identity)),
        }
        files.write_bytes(folder / self.file, save(tensors, metadata))
        if timm_name(trained) is not None:
            files.write_json(folder / "config.json", timm_config(trained))

    def logits(self, trained: TrainedNetwork, folder: Path, images: Tensor) -> list[Tensor]:
        """Return what plain timm answers, loaded by name and by folder; or this package."""
        name = timm_name(trained)
        if name is None:
            network = create_model(trained.recipe.student, **_arguments(trained))
            load_weights(network, folder / self.file)
            networks = [network]
        else:
            import timm

            weights = str(folder / self.file)
            networks = [timm.create_model(name, checkpoint_path=weights, **timm_arguments(trained))]
            networks += _from_folder(folder)
        with torch.no_grad():
            return [network.eval()(images) for network in networks]

    def lines(self, trained: TrainedNetwork) -> str:
        """Return the lines for timm, or this package."""
        name = timm_name(trained)
        if name is None:
            said = ", ".join(f"{key}={value!r}" for key, value in _arguments(trained).items())
            return (
                "import safetensors.torch\nimport tfkd.models\nimport torch\n\n"
                f"network = tfkd.models.create_model({trained.recipe.student!r}, {said})\n"
                'network.load_state_dict(safetensors.torch.load_file("model.safetensors"))\n'
                f"{_ASKED}"
            )
        said = ", ".join(f"{key}={value!r}" for key, value in timm_arguments(trained).items())
        return (
            "import timm\nimport torch\n\n"
            f"network = timm.create_model({name!r}, {said}, "
            'checkpoint_path="model.safetensors")\n'
            "# or, by what config.json says (timm 1.0.16 or newer):\n"
            '# network = timm.create_model("local-dir:.", pretrained=True)\n'
            f"{_ASKED}"
        )


def _arguments(trained: TrainedNetwork) -> dict[str, Any]:
    """What `tfkd.models.create_model` must be told beside the name."""
    options = _options(trained)
    return {
        "num_classes": len(trained.classes),
        "in_channels": trained.identity.channels,
        **({"options": options} if options else {}),
    }


def _options(trained: TrainedNetwork) -> dict[str, Any]:
    return dict(trained.recipe.model_option)


def timm_name(trained: TrainedNetwork) -> str | None:
    """Return what timm calls a network's architecture; None if it is none of timm's."""
    student = trained.recipe.student
    if student in model_names() or is_reference(student):
        return None
    return student.removeprefix("timm/").partition(".")[0]


def timm_arguments(trained: TrainedNetwork) -> dict[str, Any]:
    """Return what timm must be told beside the name."""
    arguments: dict[str, Any] = {
        "num_classes": len(trained.classes),
        "in_chans": trained.identity.channels,
        **_options(trained),
    }
    if _pretrained_cfg(trained.network).get("fixed_input_size"):
        arguments.setdefault("img_size", trained.identity.image_size)
    return arguments


def timm_config(trained: TrainedNetwork) -> dict[str, Any]:
    """Return the `config.json` of timm's hub, with this network's own preprocessing."""
    identity, own = trained.identity, _pretrained_cfg(trained.network)
    said = preprocessing(identity)
    return {
        "architecture": timm_name(trained),
        "num_classes": len(trained.classes),
        "num_features": getattr(trained.network, "num_features", None),
        "label_names": list(trained.classes),
        "model_args": timm_arguments(trained),
        "pretrained_cfg": {
            "input_size": [identity.channels, identity.image_size, identity.image_size],
            "fixed_input_size": bool(own.get("fixed_input_size")),
            "interpolation": said["interpolation"],
            "crop_pct": crop_fraction(identity),
            "crop_mode": "center" if identity.fit == "centre-crop" else "squash",
            "mean": said["mean"],
            "std": said["std"],
            "num_classes": len(trained.classes),
            **{key: own[key] for key in ("first_conv", "classifier") if own.get(key)},
        },
    }


def _pretrained_cfg(network: nn.Module) -> dict[str, Any]:
    return dict(getattr(network, "pretrained_cfg", None) or {})


def _from_folder(folder: Path) -> list[nn.Module]:
    """The network as `local-dir:` gives it; none in a timm that does not know that."""
    import timm
    from timm.models import parse_model_name

    try:
        parse_model_name(f"local-dir:{folder}")
    except (ValueError, AssertionError):
        return []
    return [timm.create_model(f"local-dir:{folder}", pretrained=True)]
