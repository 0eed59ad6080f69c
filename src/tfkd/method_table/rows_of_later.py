"""The rows of the methods that came after the Tf-KD paper."""

from __future__ import annotations

from tfkd.method_table.method import Method, Space

_ADDED = {"added": Space(0.1, 10.0, log=True), "temperature": Space(1.0, 20.0, log=True)}

ROWS: tuple[Method, ...] = (
    Method(
        "cs_kd",
        "CS-KD",
        "nobody",
        {"tfkd": "tfkd.methods:cs_kd"},
        _ADDED,
        "Yun et al., 2020, arXiv 2003.13964",
        partners="of the class",
    ),
    Method(
        "dlb",
        "DLB",
        "nobody",
        {"tfkd": "tfkd.methods:dlb"},
        _ADDED,
        "Shen et al., 2022, arXiv 2203.16172",
        partners="the last batch",
    ),
)
