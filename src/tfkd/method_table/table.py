"""The table itself, and how a name is looked up in it."""

from __future__ import annotations

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

BASELINE = "cross_entropy"
"""With what every other method is compared."""


def find_method(name: str) -> Method:
    """Return the method of a name.

    Args:
        name: of the table; or `module:name`, of a `Method` of your own, or of a function that
            says that it returns a `DistillationLoss`. If its first parameter has no default, it is
            given the network that teaches, which is the larger one where a study has two.

    Raises:
        ValueError: for another name.

    Example:
        >>> find_method("tf_kd_reg").title
        'Tf-KD_reg'
    """
    if name in METHODS:
        return METHODS[name]
    if not is_reference(name):
        raise ValueError(
            f"Expected `method` among {', '.join(METHODS)}, or module:function of your own, "
            f"got {name!r}.{did_you_mean(name, METHODS)}"
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
