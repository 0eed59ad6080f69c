"""The public names are exactly `__all__`, and importing them needs torch alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

from split_off import each_after

import tfkd

# What `pip install tfkd` does not bring: every package of the extra.
EXTRAS = (
    "accelerate",
    "jinja2",
    "matplotlib",
    "msgspec",
    "optuna",
    "PIL",
    "rich",
    "safetensors",
    "scipy",
    "sklearn",
    "tensorboard",
    "timm",
    "torchvision",
    "yaml",
)


def test_all_is_sorted_and_complete():
    public = {
        name
        for name in dir(tfkd)
        if not name.startswith("_") and not isinstance(getattr(tfkd, name), ModuleType)
    }
    assert list(tfkd.__all__) == sorted(tfkd.__all__)
    assert set(tfkd.__all__) - {"__version__"} == public


def test_every_public_name_is_documented():
    for name in tfkd.__all__:
        assert getattr(tfkd, name).__doc__, name


def test_the_library_imports_without_any_extra():
    # None in sys.modules makes an import fail: torch may try one (it guards them), tfkd may not.
    program = (
        "import sys\n"
        f"for name in {EXTRAS!r}: sys.modules[name] = None\n"
        "import tfkd, torch\n"
        "print(tfkd.explain(tfkd.tf_kd_reg(), 10))\n"
        "print(tfkd.cross_entropy()(torch.zeros(1, 2), torch.tensor([0])))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_importing_the_library_loads_no_extra_and_what_is_in_it_is_there():
    """As `tfkd.train.load(RUN)` says, without an import of `tfkd.train`."""
    light = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import tfkd\ntfkd.cross_entropy()\n"
        f"print(*(set(sys.modules) - before) & set({EXTRAS!r}))\n"
        "print(len([name for name in set(sys.modules) - before if name.startswith('tfkd')]))\n"
    )
    folder = Path(tfkd.__file__).parent
    parts = sorted(path.stem for path in folder.iterdir() if path.stem[0] != "_")
    parts = [name for name in parts if name not in ("cli", "py", "references")]
    whole = (
        "import tfkd\n"
        f"print(*[getattr(tfkd, name).__name__ for name in {parts!r}])\n"
        "print(tfkd.train.load.__module__, hasattr(tfkd, 'tain'))\n"
    )
    loaded, own, *said = each_after("import torch", [light, whole]).splitlines()
    assert loaded == ""
    assert int(own) > 1
    assert said == [
        " ".join(f"tfkd.{name}" for name in parts),
        "tfkd.train.trained.network False",
    ]
