"""The one table of methods: who teaches, which numbers a method takes, where it comes from.

The command line, comparisons, studies, dialects, documentation and tests are derived from it. A row
names its compositions instead of importing them, so that it can be read without torch.
"""

from tfkd.method_table.method import (
    DIALECTS,
    NUMBERS,
    Method,
    Number,
    Space,
    check_method_number,
)
from tfkd.method_table.table import BASELINE, METHODS, find_method, full_name

__all__ = [
    "BASELINE",
    "DIALECTS",
    "METHODS",
    "NUMBERS",
    "Method",
    "Number",
    "Space",
    "check_method_number",
    "find_method",
    "full_name",
]
