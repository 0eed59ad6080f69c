"""The rows of the methods that came after the Tf-KD paper."""

from __future__ import annotations

from tfkd.method_table.method import Method

ROWS: tuple[Method, ...] = ()
