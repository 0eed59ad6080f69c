"""The images of a run, where they still are those that it was made with."""

from __future__ import annotations

from tfkd.data import DataIdentity, ImageData, identify, load_data
from tfkd.data.identity import how_they_differ
from tfkd.data.places import Places
from tfkd.runs.contents import StoredSettings


def data_at_hand(
    stored: StoredSettings, ours: DataIdentity, root: str | None = None
) -> tuple[ImageData | None, str]:
    """Return the data of a run, or None and a sentence that says why not.

    Args:
        stored: settings of the run.
        ours: which data it was made with.
        root: where they lie now; None: where the run found them.
    """
    places = Places.of(stored.circumstances.places).moved_to(root)
    try:
        data = load_data(stored.recipe.data, seed=stored.seed, root=places)
        theirs = identify(data)
    except (OSError, ValueError) as error:
        return None, f"The images of this run are not at hand: {_sentence(error)}"
    differing = how_they_differ(ours, theirs)
    if differing is not None:
        place = "" if root is None else f" in {root}"
        return None, f"The images{place} are not those of this run: expected {differing}."
    return data, ""


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if text.endswith(".") else f"{text}."
