"""For mkdocstrings: an example is shown as code, be there one or several."""

from __future__ import annotations

from griffe import Extension, Object


class Examples(Extension):
    """What griffe knows as `Examples:` is called `Example:` in this package."""

    def on_object(self, *, obj: Object, **_: object) -> None:
        """Rename the section, so that its lines are read as a doctest."""
        if obj.docstring:
            obj.docstring.value = obj.docstring.value.replace("Example:\n", "Examples:\n")
