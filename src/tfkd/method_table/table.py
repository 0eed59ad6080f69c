"""The table itself, and how a name is looked up in it."""

from __future__ import annotations

import re
from dataclasses import replace

from tfkd._checks import did_you_mean
from tfkd.method_table import rows_of_later, rows_of_penalties, rows_of_tf_kd
from tfkd.method_table.method import Method, takes_a_teacher
from tfkd.references import OwnPartError, from_reference, is_reference

METHODS: dict[str, Method] = {
    method.name: method
    for method in (*rows_of_tf_kd.ROWS, *rows_of_later.ROWS, *rows_of_penalties.ROWS)
}
"""By name, every method of this package."""

_SHORT = {short: method.name for method in METHODS.values() for short in method.short}

BASELINE = "cross_entropy"
"""With what every other method is compared."""


def full_name(name: str) -> str:
    """Return the name that a method has in the table, of that or a short one as it is typed.

    Capitals are small letters, and a hyphen is an underscore. Any other name is left as it is, to
    be looked up or refused.

    Example:
        >>> full_name("OLS"), full_name("ps-kd"), full_name("my_package.losses:mine")
        ('online_label_smoothing', 'ps_kd', 'my_package.losses:mine')
    """
    typed = _typed(name)
    return typed if typed in METHODS else _SHORT.get(typed, name)


def _typed(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def _nearest(name: str) -> str:
    """Return ` Did you mean X?` by names, short names and titles, else nothing."""
    titles = {_typed(method.title): method.name for method in METHODS.values()}
    known = titles | _SHORT | {each: each for each in METHODS}
    meant = re.fullmatch(r" Did you mean (.*)\?", did_you_mean(_typed(name), known))
    return f" Did you mean {known[meant[1]]}?" if meant else ""


def find_method(name: str) -> Method:
    """Return the method of a name.

    Args:
        name: of the table, or in short; or `module:name`, of a `Method` of your own, or of a
            function that says that it returns a `DistillationLoss`. If its first parameter has no
            default, it is given the network that teaches, which is the larger one where a study has
            two.

    Raises:
        ValueError: for another name.

    Example:
        >>> find_method("tf_kd_reg").title
        'Tf-KD_reg'
    """
    if (known := full_name(name)) in METHODS:
        return METHODS[known]
    if not is_reference(name):
        raise ValueError(
            "Expected `method` to be a method's name, or module:function of your own, got "
            f"{name[:80]!r}.{_nearest(name)} tfkd methods lists all {len(METHODS)}."
        )
    found = from_reference(name)
    if isinstance(found, Method):
        return found
    if not callable(found):
        raise OwnPartError(
            f"Expected a function or a tfkd Method at {name}, got {type(found).__name__}."
        )
    own = Method(name, name.rpartition(":")[2].replace("_", " "), "nobody", {"tfkd": name})
    taught = takes_a_teacher(own.composition())
    return replace(own, taught_by="a larger network") if taught else own
