"""The rows of the penalties, which nobody teaches."""

from __future__ import annotations

from tfkd.method_table.method import Method, Space

ROWS: tuple[Method, ...] = (
    Method(
        "max_sup",
        "MaxSup",
        "nobody",
        {"tfkd": "tfkd.methods:max_sup"},
        {"added": Space(0.01, 0.5, log=True)},
        "Zhou et al., 2025, arXiv 2502.15798",
        meanings={
            "added": "weight of the penalty in the first epoch, at least 0; it grows evenly to "
            "twice that in the last one, as officially",
        },
        short=("maxsup",),
    ),
    Method(
        "confidence_penalty",
        "confidence penalty",
        "nobody",
        {"tfkd": "tfkd.methods:confidence_penalty"},
        {"added": Space(0.01, 1.0, log=True)},
        "Pereyra et al., 2017, arXiv 1701.06548",
    ),
    Method(
        "margin_label_smoothing",
        "margin-based label smoothing",
        "nobody",
        {"tfkd": "tfkd.methods:margin_label_smoothing"},
        {"added": Space(0.01, 1.0, log=True), "margin": Space(1.0, 20.0, log=True)},
        "Liu et al., 2022, arXiv 2111.15430",
        short=("mbls",),
    ),
    Method(
        "focal",
        "focal loss",
        "nobody",
        {"tfkd": "tfkd.methods:focal"},
        {"focusing": Space(0.25, 8.0, log=True)},
        "Lin et al., 2017, arXiv 1708.02002; Mukhoti et al., 2020, arXiv 2002.09437",
    ),
    Method(
        "dual_focal",
        "dual focal loss",
        "nobody",
        {"tfkd": "tfkd.methods:dual_focal"},
        {"focusing": Space(0.25, 8.0, log=True)},
        "Tao et al., 2023, arXiv 2305.13665",
    ),
    Method(
        "logit_norm",
        "logit normalisation",
        "nobody",
        {"tfkd": "tfkd.methods:logit_norm"},
        {"temperature": Space(0.005, 1.0, log=True)},
        "Wei et al., 2022, arXiv 2205.09310",
        meanings={
            "temperature": "by which the student's logits of length 1 are divided, above 0",
        },
        short=("logitnorm",),
    ),
)
