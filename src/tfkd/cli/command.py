"""A command: a function, its own options, and the options of a run that it takes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, get_type_hints

from tfkd.runs.options import Option, described_names, options


@dataclass(frozen=True)
class Command:
    """A sub-command.

    Its function's keyword-only parameters are options, all others positional; the docstring says
    what they are. One with a parameter `written` is given there the options of a run, as
    `tfkd.runs.written.nested` returns them.

    Attributes:
        function: that is called.
        parts: of a run, whose options it takes (see `Option.part`), and their titles in the help.
    """

    function: Callable[..., object]
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def takes_a_run(self) -> bool:
        """Whether it takes options of a run."""
        return "written" in inspect.signature(self.function).parameters

    @property
    def text(self) -> str:
        """What it does, with its arguments left out."""
        return _docstring(self)[0]

    def own(self) -> dict[str, Option]:
        """Return the options and arguments that are the function's own."""
        hints = get_type_hints(self.function)
        known = {name: option.help for name, option in options().items()}
        texts = known | described_names(_docstring(self)[1])
        parameters = inspect.signature(self.function).parameters
        return {
            name: Option(name, (name,), hints[name], texts.get(name, ""), parameter.default)
            for name, parameter in parameters.items()
            if name != "written"
        }

    def of_a_run(self) -> dict[str, Option]:
        """Return the options of a run that it takes; its own come first."""
        own = self.own()
        return {
            name: option
            for name, option in options().items()
            if option.part in self.parts and name not in own
        }

    def positional(self) -> list[str]:
        """Return the names of what is said without an option's name."""
        parameters = inspect.signature(self.function).parameters.values()
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return [own.name for own in parameters if own.kind is kind and own.name != "written"]

    def needed(self) -> list[str]:
        """Return the names of what must be said."""
        empty = inspect.Parameter.empty
        return [name for name, option in self.own().items() if option.default is empty]

    def called(self, name: str) -> str:
        """Return what is typed for an option or argument."""
        return name.upper() if name in self.positional() else f"--{hyphened(name)}"

    def as_typed(self, text: str) -> str:
        """Return a message with its options as they are typed here: `batch_size` is --batch-size.

        Args:
            text: with names between backticks, as functions and settings write them.
        """
        known = {*self.own(), *self.of_a_run()}

        def typed(found: re.Match[str]) -> str:
            # One of several `methods` is a `method` to those that look at it.
            names = [name for name in (found[1], f"{found[1]}s") if name in known]
            return self.called(names[0]) if names else found[0]

        return re.sub(r"`(\w+)`", typed, text)


@dataclass(frozen=True)
class Group:
    """Commands under a common word.

    Attributes:
        text: what they are for.
        commands: by name.
    """

    text: str
    commands: Commands


Commands: TypeAlias = "Mapping[str, Command | Group]"


def hyphened(name: str) -> str:
    """Return a name as it is typed; what is a word of Python has a `_` behind it there."""
    return name.rstrip("_").replace("_", "-")


def _docstring(command: Command) -> tuple[str, str]:
    text, _, arguments = (inspect.getdoc(command.function) or "").partition("\n\nArgs:\n")
    return text, arguments
