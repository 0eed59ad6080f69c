"""What produced a run: versions, commit, machine, and what was asked of torch."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

import torch

from tfkd.runs.contents import Determinism, Environment, Gpu

PACKAGES = ("tfkd", "torch", "torchvision", "timm", "accelerate", "numpy", "safetensors")


def describe_environment(device: torch.device, processes: int) -> Environment:
    """Return what may change a result beside the settings of the run.

    Versions, the commit of the source if it is in a git checkout (`-dirty` where files differ from
    it), operating system, processor, accelerator, threads, and what is asked of torch about
    precision and determinism.
    """
    versions = {package: package_version(package) for package in PACKAGES}
    cpu = _processor()
    return Environment(
        versions={"python": platform.python_version(), **versions},
        system=platform.system(),
        system_release=platform.release(),
        distribution=_distribution(),
        device=device.type,
        device_name=torch.cuda.get_device_name(device) if device.type == "cuda" else cpu,
        cpu=cpu,
        cpu_instructions=torch.backends.cpu.get_cpu_capability(),
        cpu_count=os.cpu_count(),
        accelerator=_accelerator(device),
        threads=torch.get_num_threads(),
        interop_threads=torch.get_num_interop_threads(),
        processes=processes,
        determinism=Determinism(
            deterministic_algorithms=torch.are_deterministic_algorithms_enabled(),
            cudnn_deterministic=torch.backends.cudnn.deterministic,
            cudnn_benchmark=torch.backends.cudnn.benchmark,
            float32_matmul_precision=torch.get_float32_matmul_precision(),
        ),
        commit=_commit(),
    )


def _processor() -> str:
    """Model of the processor, or what architecture it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _distribution() -> str | None:
    """Name and version of the Linux distribution, or the release of macOS or Windows."""
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return platform.mac_ver()[0] or platform.win32_ver()[1] or None


def _accelerator(device: torch.device) -> Gpu | None:
    """Name, memory and libraries of the GPU; None on the CPU."""
    if device.type != "cuda":
        return None
    properties = torch.cuda.get_device_properties(device)
    return Gpu(
        name=properties.name,
        memory_bytes=properties.total_memory,
        compute_capability=f"{properties.major}.{properties.minor}",
        count=torch.cuda.device_count(),
        cuda=torch.version.cuda,
        hip=torch.version.hip,
        cudnn=torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
    )


def package_version(package: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Commit of the checkout that holds this file, marked if files differ from it."""
    folder = Path(__file__).parent
    try:
        described = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        tracked = subprocess.run(
            ["git", "-C", str(folder), "ls-files", "--error-unmatch", __file__],
            capture_output=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() if tracked.returncode == 0 else None
