"""The names of what a study trains, as its tables and figures print them."""

from __future__ import annotations

BASELINE = "cross_entropy"

METHODS = {
    BASELINE: "cross-entropy",
    "label_smoothing": "label smoothing",
    "tf_kd_reg": "Tf-KD_reg",
    "tf_kd_self": "Tf-KD_self",
    "normal_kd": "normal KD",
    "re_kd": "Re-KD",
    "de_kd": "De-KD",
}
"""Methods of the paper."""

CONTROLS = {
    "scaled": "cross-entropy × s",
    "smoothed": "label smoothing at the equivalent ε",
    "balanced": "cross-entropy × s, weight decay × s",
    "undone": "cross-entropy × s, learning rate ÷ s, weight decay × s",
    "double": "cross-entropy, twice the epochs",
}
"""Controls: what else may explain a method's gain."""

DIALECTS = {
    "tfkd": "ours",
    "paper": "as printed",
    "released": "as released",
}
"""Whose formulas and numbers a loss has."""
