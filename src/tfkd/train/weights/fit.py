"""Weights from a file, loaded into a network that they fit, but for the head."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tfkd.data.identity import how_classes_differ
from tfkd.models.parts import classifier_names, is_within
from tfkd.runs.tensors import check_numbers, kind_of
from tfkd.train.weights.classes import classes_of, only_the_number, these
from tfkd.train.weights.file import read_weights, which_are_taken, without_prefixes

FEW = 3
"""Tensors that an error names."""

_COUNT = "num_batches_tracked"

MOST = 2
"""Times the numbers of a network, of a file that is translated for it."""


def load_start(
    network: nn.Module, file: Path, *, name: str, classes: Sequence[str] | None = None
) -> str | None:
    """Load what a student starts from; a head for other classes is replaced by a new one.

    Args:
        network: newly made.
        file: of weights.
        name: of the network.
        classes: of the data, in order; None: only their number is compared.

    Returns:
        What is to be said: of the head, if it was replaced or its classes are not known; and which
        of several weights in the file were taken.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is damaged or anything but the head does not fit.
    """
    own = network.state_dict()
    tensors = _fitting(network, file)
    heads = classifier_names(network)
    theirs = {key: tensor for key, tensor in tensors.items() if is_within(key, heads)}
    other = {key for key in own if is_within(key, heads) and _differs(own[key], theirs.get(key))}
    sentence = None
    if other:
        missing = other.isdisjoint(theirs)
        had = "no head" if missing else f"a head for {_classes(theirs, other)} classes"
        sentence = (
            f"{file} has {had}: {name} gets a new one, for {_classes(own, other)}, which is "
            "trained from the start."
        )
        tensors = _with_own_head(own, tensors, heads)
    _check(network, tensors, file, name)
    if classes is not None and not other:
        tensors, sentence = _by_classes(network, tensors, file, tuple(classes), name)
    network.load_state_dict(tensors)
    return " ".join(said for said in (which_are_taken(file), sentence) if said) or None


def _by_classes(
    network: nn.Module,
    tensors: dict[str, Tensor],
    file: Path,
    classes: tuple[str, ...],
    name: str,
) -> tuple[dict[str, Tensor], str | None]:
    """Tensors with a head for these classes, of a file with one for as many, and a sentence."""
    theirs, heads = classes_of(file, number=len(classes)), classifier_names(network)
    if theirs == classes:
        return tensors, None
    if theirs is None:
        return tensors, f"{only_the_number(file, classes)}: its head is kept."
    if not heads:
        raise ValueError(
            f"Expected `weights` with the data's {how_classes_differ(classes, theirs)} in {file}: "
            f"which layer of {name} is the head, and would be a new one, is not known."
        )
    modules = dict(network.named_modules())
    if sorted(theirs) == sorted(classes) and all(isinstance(modules[n], nn.Linear) for n in heads):
        order = torch.tensor([theirs.index(own) for own in classes])
        moved = {key: own[order] for key, own in tensors.items() if is_within(key, heads)}
        return tensors | moved, (
            f"{file} has these classes in another order: the rows of its head are put into this "
            "one."
        )
    return _with_own_head(network.state_dict(), tensors, heads), (
        f"{file} has a head for other classes, {these(theirs)}: {name} gets a new one, for "
        f"{these(classes)}, which is trained from the start."
    )


def _with_own_head(
    own: dict[str, Tensor], tensors: dict[str, Tensor], heads: tuple[str, ...]
) -> dict[str, Tensor]:
    """Tensors with the whole head of a network: a bias without its weights means nothing."""
    kept = {key: tensor for key, tensor in own.items() if is_within(key, heads)}
    return {key: t for key, t in tensors.items() if not is_within(key, heads)} | kept


def load_whole(network: nn.Module, file: Path, *, name: str) -> None:
    """Load the weights of a network that teaches, head and all.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is damaged or does not fit.
    """
    own = network.state_dict()
    tensors = _fitting(network, file)
    heads = classifier_names(network)
    for key in own:
        theirs = tensors.get(key)
        if theirs is None or not is_within(key, heads) or theirs.shape == own[key].shape:
            continue
        if theirs.shape[1:] == own[key].shape[1:]:
            raise ValueError(
                f"Expected a teacher with a head for {len(own[key])} classes in {file}, got one "
                f"for {len(theirs)}: it knows nothing of these. Fine-tune it first, with "
                f"tfkd train --student {name} --weights {file}, and let that run teach."
            )
    _check(network, tensors, file, name)
    network.load_state_dict(tensors)


def _fitting(network: nn.Module, file: Path) -> dict[str, Tensor]:
    """The tensors of a file by the network's own names, as far as they can be told."""
    own, heads = network.state_dict(), classifier_names(network)

    def misfits(tensors: Mapping[str, Tensor]) -> bool:
        return any(not is_within(key, heads) for key, _ in _misfits(own, tensors))

    # By sizes alone first: of what would not fit, nothing is held in memory.
    sizes, translate = _counted(without_prefixes(read_weights(file, device="meta"), own), own), None
    if misfits(sizes):
        translate = _translation(network)
        if translate is None or _numbers(sizes) > MOST * _numbers(own):
            return sizes
    tensors = _counted(without_prefixes(read_weights(file), own), own)
    if translate is not None:
        try:
            translated = translate(dict(tensors), network)
        except Exception:  # of weights that it does not know
            return tensors
        if isinstance(translated, dict) and not misfits(_counted(translated, own)):
            return _counted(translated, own)
    return tensors


def _counted(tensors: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors with a count of 0 where an old batch norm has none, as torch itself takes them."""
    counts = {
        key: torch.zeros_like(own[key])
        for key in own
        if key.endswith(_COUNT) and key.removesuffix(_COUNT) + "running_var" in tensors
    }
    return counts | tensors


def _numbers(tensors: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors.values())


def _translation(network: nn.Module) -> Callable[[Any, nn.Module], Any] | None:
    """What timm has for weights of this kind of network by other names, or for other sizes."""
    module = type(network).__module__
    if not module.startswith("timm."):
        return None
    return getattr(sys.modules[module], "checkpoint_filter_fn", None)


def _check(network: nn.Module, tensors: Mapping[str, Tensor], file: Path, name: str) -> None:
    wrong = [sentence for _, sentence in _misfits(network.state_dict(), tensors)]
    if wrong:
        more = f", and {len(wrong) - FEW} more differ" if len(wrong) > FEW else ""
        raise ValueError(
            f"The weights in {file} do not fit the model {name}: {', '.join(wrong[:FEW])}{more}."
        )
    check_numbers(network, tensors, file)


def _misfits(own: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
    for key, tensor in own.items():
        if key not in tensors:
            yield key, f"expected {key}, found none"
        elif _differs(tensor, tensors[key]):
            yield key, f"expected {key} of {kind_of(tensor)}, got {kind_of(tensors[key])}"
    for key in tensors:
        if key not in own:
            yield key, f"expected no {key[:200]!a}, got one"


def _differs(own: Tensor, other: Tensor | None) -> bool:
    return other is None or kind_of(own) != kind_of(other)


def _classes(tensors: Mapping[str, Tensor], keys: set[str]) -> int:
    return next(len(tensors[key]) for key in sorted(keys) if key in tensors)
