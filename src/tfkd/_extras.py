"""What is said where something is not installed: the line that installs it."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from shlex import quote
from urllib.parse import unquote


def pip_line(extra: str) -> str:
    """Return the line that installs the packages of an extra.

    From a checkout it names the checkout, for an index may have no or another package of this
    name.

    Args:
        extra: as pyproject.toml calls it.

    Example:
        >>> pip_line("cli").startswith("pip install ")
        True
    """
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "src").is_dir():
        return f"pip install -e {_quoted(_from_here(checkout), extra)}"
    url = _installed_from()
    if url.startswith("file://") and not url.endswith((".whl", ".tar.gz")):
        folder = Path(unquote(url.removeprefix("file://")))
        return f"pip install {_quoted(_from_here(folder), extra)}"
    where = f" @ {url}" if url else ""
    return f'pip install "tfkd[{extra}]{where}"'


def stand_in(program: str, extra: str) -> type:
    """Return a class to be derived from in place of one of a program that is not installed.

    Args:
        program: as people call it.
        extra: that installs it.

    Raises:
        ImportError: when an object is made of the class that it returns.
    """

    class Missing:
        def __init__(self, *args: object, **kwargs: object) -> None:
            raise ImportError(f"{program} is not installed: {pip_line(extra)}")

    return Missing


def _quoted(place: str, extra: str) -> str:
    text = f"{place}[{extra}]"
    return f'"{text}"' if quote(place) == place else quote(text)


def _from_here(folder: Path) -> str:
    try:
        return "." if folder.samefile(Path()) else str(folder)
    except OSError:
        return str(folder)


def _installed_from() -> str:
    """The address that was installed from; empty for an index."""
    try:
        found = json.loads(distribution("tfkd").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError, OSError):
        return ""
    url, vcs = str(found.get("url", "")), found.get("vcs_info", {}).get("vcs")
    return f"{vcs}+{url}" if vcs else url
