"""The rows of the methods that came after the Tf-KD paper."""

from __future__ import annotations

from tfkd.method_table.method import Method, Space

ROWS: tuple[Method, ...] = (
    Method(
        "mean_teacher",
        "mean teacher",
        "nobody",
        {"tfkd": "tfkd.methods:mean_teacher"},
        {
            "added": Space(0.1, 100.0, log=True),
            "decay": Space(0.9, 0.9999),
        },
        "Tarvainen and Valpola, 2017, arXiv 1703.01780",
    ),
    Method(
        "beta_smoothing",
        "Beta smoothing",
        "nobody",
        {"tfkd": "tfkd.methods:beta_smoothing"},
        {
            "alpha": Space(0.05, 0.95),
            "concentration": Space(1.0, 20.0, log=True),
            "decay": Space(0.9, 0.9999),
        },
        "Zhang and Sabuncu, 2020, arXiv 2006.05065",
    ),
    Method(
        "instance_specific_label_smoothing",
        "smoothing by instance",
        "itself",
        {"tfkd": "tfkd.methods:instance_specific_label_smoothing"},
        {"alpha": Space(0.05, 0.95), "temperature": Space(1.0, 20.0, log=True)},
        "Zhang and Sabuncu, 2020, arXiv 2006.05065",
    ),
    Method(
        "born_again",
        "born again",
        "itself",
        {"tfkd": "tfkd.methods:born_again"},
        {"alpha": Space(0.05, 1.0), "temperature": Space(1.0, 20.0, log=True)},
        "Furlanello et al., 2018, arXiv 1805.04770",
    ),
)
