"""The pretrained weights of timm: whether they can be had, found out before timm waits for them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SECONDS = 5.0
"""That the hub may take to answer at all."""


def find_pretrained(name: str) -> dict[str, Any]:
    """Return what timm must be told to find the pretrained weights of a network.

    Args:
        name: as timm knows it, without a prefix.

    Returns:
        The file of weights that was downloaded before; nothing where timm downloads them.

    Raises:
        ValueError: if timm has no weights for the network.
        ConnectionError: if they were not downloaded before and the hub does not answer.
    """
    from timm.models import get_pretrained_cfg

    config: Any = get_pretrained_cfg(name, allow_unregistered=True)
    if config is None or not config.has_weights:
        raise ValueError(
            f"Expected `pretrained` to be False for {name!r}: timm has no weights for it."
        )
    if config.hf_hub_id is None or config.file or config.custom_load:
        return {}
    from huggingface_hub import constants, get_session

    if (file := _downloaded(config)) is not None:
        return {"file": file}
    try:
        get_session().head(constants.ENDPOINT, timeout=SECONDS)
    except Exception as error:  # of whichever client of HTTP the hub uses
        raise _missing(name, f"{constants.ENDPOINT} does not answer") from error
    return {}


@contextmanager
def downloading(name: str) -> Iterator[None]:
    """Say in one line what fails while weights are fetched, and keep the hub's warnings back."""
    loggers = [logging.getLogger(part) for part in ("huggingface_hub", "timm", "urllib3", "httpx")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    except (OSError, RuntimeError) as error:  # urllib's and the hub's are among them
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise _missing(name, reason) from error
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _downloaded(config: Any) -> str | None:
    """The file of weights that lies in the hub's cache, if one does."""
    from huggingface_hub import try_to_load_from_cache

    names = [config.hf_hub_filename] if config.hf_hub_filename else []
    repository, _, revision = config.hf_hub_id.partition("@")
    for name in (*names, "model.safetensors", "pytorch_model.bin"):
        found = try_to_load_from_cache(repository, name, revision=revision or None)
        if isinstance(found, str):
            return found
    return None


def _missing(name: str, reason: str) -> ConnectionError:
    return ConnectionError(
        f"Expected timm's weights of {name} for `pretrained`, but {reason}. Where there is no "
        "network, give a file of them: `weights`."
    )
