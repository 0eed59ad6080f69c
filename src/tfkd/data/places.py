"""Where on this machine data sets are looked for, and what was read is remembered."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """Return `$XDG_CACHE_HOME/tfkd` or `~/.cache/tfkd`; None for a user without a home."""
    shared = os.environ.get("XDG_CACHE_HOME")
    if shared:
        return Path(shared) / "tfkd"
    try:
        return Path.home() / ".cache" / "tfkd"
    except RuntimeError:
        return None


def usual_places(name: str) -> list[Path]:
    """Return `$TFKD_DATA/NAME`, then `NAME` in the cache folder."""
    shared = os.environ.get("TFKD_DATA")
    places = [Path(shared).expanduser() / name] if shared else []
    cache = cache_folder()
    return places if cache is None else [*places, cache / name]
