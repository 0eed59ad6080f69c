"""The rows of the methods that came after the Tf-KD paper."""

from __future__ import annotations

from tfkd.method_table.method import Method, Space

_TTM = "Zheng and Yang, 2024, arXiv 2402.11148"
_TTM_MEANINGS = {"power": "exponent of the teacher's probabilities, above 0"}
_TTM_SPACES = {"power": Space(0.05, 1.0, log=True), "added": Space(0.5, 100.0, log=True)}
_ADDED = {"added": Space(0.1, 10.0, log=True), "temperature": Space(1.0, 20.0, log=True)}

ROWS: tuple[Method, ...] = (
    Method(
        "decoupled_kd",
        "DKD",
        "a larger network",
        {"tfkd": "tfkd.methods:decoupled_kd"},
        {
            "temperature": Space(1.0, 20.0, log=True),
            "target": Space(0.25, 4.0, log=True),
            "non_target": Space(0.25, 16.0, log=True),
        },
        "Zhao et al., 2022, arXiv 2203.08679",
    ),
    Method(
        "normalized_kd",
        "NKD",
        "a larger network",
        {"tfkd": "tfkd.methods:normalized_kd"},
        {"added": Space(0.1, 10.0, log=True), "temperature": Space(0.5, 8.0, log=True)},
        "Yang et al., 2023, arXiv 2303.13005",
    ),
    Method(
        "logit_standardization_kd",
        "logit standardisation",
        "a larger network",
        {"tfkd": "tfkd.methods:logit_standardization_kd"},
        {"alpha": Space(0.5, 0.995), "temperature": Space(0.5, 8.0, log=True)},
        "Sun et al., 2024, arXiv 2403.01427",
    ),
    Method(
        "transformed_teacher_matching",
        "TTM",
        "a larger network",
        {"tfkd": "tfkd.methods:transformed_teacher_matching"},
        _TTM_SPACES,
        _TTM,
        meanings=_TTM_MEANINGS,
    ),
    Method(
        "weighted_transformed_teacher_matching",
        "WTTM",
        "a larger network",
        {"tfkd": "tfkd.methods:weighted_transformed_teacher_matching"},
        _TTM_SPACES,
        _TTM,
        meanings=_TTM_MEANINGS,
    ),
    Method(
        "function_matching",
        "function matching",
        "a larger network",
        {"tfkd": "tfkd.methods:function_matching"},
        {"temperature": Space(1.0, 20.0, log=True)},
        "Beyer et al., 2022, arXiv 2106.05237",
    ),
    Method(
        "top_two_kd",
        "top two",
        "itself",
        {"tfkd": "tfkd.methods:top_two_kd"},
        {"alpha": Space(0.05, 1.0)},
        "Jeong and Chung, 2025, arXiv 2402.10482",
    ),
    Method(
        "weak_to_strong_kd",
        "Re-KD with switch-off",
        "a smaller network",
        {"tfkd": "tfkd.methods:weak_to_strong_kd"},
        {"alpha": Space(0.05, 0.95), "temperature": Space(1.0, 20.0, log=True)},
        "Li et al., 2026, arXiv 2604.15451",
    ),
    Method(
        "zipf_label_smoothing",
        "Zipf's label smoothing",
        "itself, as it learns",
        {"tfkd": "tfkd.methods:zipf_label_smoothing"},
        {"added": Space(0.01, 2.0, log=True), "power": Space(0.5, 2.0, log=True)},
        "Liang et al., 2022, arXiv 2207.12980",
        meanings={"power": "exponent of the ranks, above 0"},
    ),
    Method(
        "mean_teacher",
        "mean teacher",
        "itself, as it learns",
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
        "itself, as it learns",
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
        meanings={"temperature": "temperature of the teacher alone, above 0"},
    ),
    Method(
        "born_again",
        "born again",
        "itself",
        {"tfkd": "tfkd.methods:born_again"},
        {"alpha": Space(0.05, 1.0), "temperature": Space(1.0, 20.0, log=True)},
        "Furlanello et al., 2018, arXiv 1805.04770",
    ),
    Method(
        "cs_kd",
        "CS-KD",
        "itself, as it learns",
        {"tfkd": "tfkd.methods:cs_kd"},
        _ADDED,
        "Yun et al., 2020, arXiv 2003.13964",
        partners="of the class",
    ),
    Method(
        "dlb",
        "DLB",
        "itself, as it learns",
        {"tfkd": "tfkd.methods:dlb"},
        _ADDED,
        "Shen et al., 2022, arXiv 2203.16172",
        partners="the last batch",
    ),
    Method(
        "online_label_smoothing",
        "OLS",
        "itself, as it learns",
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
        "itself, as it learns",
        {"tfkd": "tfkd.methods:ps_kd"},
        {"alpha": Space(0.05, 0.95)},
        "Kim et al., 2021, arXiv 2006.12000",
    ),
)
