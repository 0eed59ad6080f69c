"""The rows of the methods that the Tf-KD paper compares."""

from __future__ import annotations

from tfkd.method_table.method import Method, Space

_KD = {
    "tfkd": "tfkd.methods:knowledge_distillation",
    "paper": "tfkd.dialects:paper_kd",
    "released": "tfkd.dialects:released_kd",
}
_KD_SPACES = {"alpha": Space(0.05, 0.95), "temperature": Space(1.0, 20.0, log=True)}
_BINARY_KD = "tfkd.methods:binary_knowledge_distillation"
_TF_KD = "Yuan et al., 2020, arXiv 1909.11723"

ROWS: tuple[Method, ...] = (
    Method(
        "cross_entropy",
        "cross-entropy",
        "nobody",
        {"tfkd": "tfkd.methods:cross_entropy"},
        short=("ce",),
        binary="tfkd.methods:binary_cross_entropy",
    ),
    Method(
        "label_smoothing",
        "label smoothing",
        "a rule",
        {
            "tfkd": "tfkd.methods:label_smoothing",
            "paper": "tfkd.methods:label_smoothing",
            "released": "tfkd.dialects:released_label_smoothing",
        },
        {"alpha": Space(0.01, 0.5, log=True)},
        "Szegedy et al., 2016, arXiv 1512.00567",
        short=("ls", "lsr"),
        binary="tfkd.methods:binary_label_smoothing",
    ),
    Method(
        "tf_kd_reg",
        "Tf-KD_reg",
        "a rule",
        {
            "tfkd": "tfkd.methods:tf_kd_reg",
            "paper": "tfkd.dialects:paper_tf_kd_reg",
            "released": "tfkd.dialects:released_tf_kd_reg",
        },
        {
            "alpha": Space(0.01, 0.95, log=True),
            "temperature": Space(1.0, 40.0, log=True),
            "confidence": Space(0.9, 0.999),
        },
        f"{_TF_KD}, eq. 9",
        binary="tfkd.methods:binary_tf_kd_reg",
    ),
    Method(
        "tf_kd_self",
        "Tf-KD_self",
        "itself",
        {**_KD, "tfkd": "tfkd.methods:tf_kd_self"},
        _KD_SPACES,
        f"{_TF_KD}, eq. 7",
        binary="tfkd.methods:binary_tf_kd_self",
    ),
    Method(
        "normal_kd",
        "normal KD",
        "a larger network",
        _KD,
        _KD_SPACES,
        "Hinton et al., 2015, arXiv 1503.02531",
        binary=_BINARY_KD,
    ),
    Method(
        "re_kd",
        "Re-KD",
        "a smaller network",
        _KD,
        _KD_SPACES,
        f"{_TF_KD}, section 3",
        binary=_BINARY_KD,
    ),
    Method(
        "de_kd",
        "De-KD",
        "a barely trained network",
        _KD,
        _KD_SPACES,
        f"{_TF_KD}, section 3",
        binary=_BINARY_KD,
    ),
    Method(
        "knowledge_distillation",
        "KD",
        "any",
        _KD,
        _KD_SPACES,
        "Hinton et al., 2015, arXiv 1503.02531",
        short=("kd",),
        binary=_BINARY_KD,
    ),
)
