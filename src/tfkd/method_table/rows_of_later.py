"""The rows of the methods that came after the Tf-KD paper."""

from __future__ import annotations

from tfkd.method_table.method import Method, Space

ROWS: tuple[Method, ...] = (
    Method(
        "online_label_smoothing",
        "OLS",
        "nobody",
        {
            "tfkd": "tfkd.methods:online_label_smoothing",
            "released": "tfkd.dialects:released_online_label_smoothing",
        },
        {"alpha": Space(0.05, 0.95)},
        "Zhang et al., 2021, arXiv 2011.12562",
    ),
    Method(
        "ps_kd",
        "PS-KD",
        "nobody",
        {"tfkd": "tfkd.methods:ps_kd"},
        {"alpha": Space(0.05, 0.95)},
        "Kim et al., 2021, arXiv 2006.12000",
    ),
)
