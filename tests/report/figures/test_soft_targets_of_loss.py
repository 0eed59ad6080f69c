"""The bars are the numbers."""

from __future__ import annotations

import pytest
from torch import nn

import tfkd
from tfkd.report.figures.soft_targets_of_loss import draw_soft_targets, save_soft_targets


def heights(figure):
    return [[bar.get_height() for bar in group] for group in figure.axes[0].containers]


def test_the_teacher_of_the_papers_figure_3():
    # p^d to the power 1/τ, normalised: K = 10, a = 0.99, τ = 20.
    explanation = tfkd.explain(tfkd.tf_kd_reg(alpha=0.5, temperature=20.0, confidence=0.99), 10)
    true, other = 0.99 ** (1 / 20), (0.01 / 9) ** (1 / 20)
    total = true + 9 * other
    teacher = heights(draw_soft_targets(explanation))[0]
    assert teacher == pytest.approx([true / total] + [other / total] * 9)


def test_student_and_equivalent_label_smoothing_agree_and_add_up_to_one():
    explanation = tfkd.explain(tfkd.tf_kd_reg(alpha=0.9, temperature=20.0), 10)
    _, student, smoothed = heights(draw_soft_targets(explanation))
    assert sum(student) == pytest.approx(1.0)
    assert student == pytest.approx(smoothed)


def test_label_smoothing_is_the_textbooks():
    explanation = tfkd.explain(tfkd.label_smoothing(0.2), 4)
    uniform, student, smoothed = heights(draw_soft_targets(explanation))
    assert uniform == pytest.approx([0.25] * 4)
    assert smoothed == pytest.approx([0.85, 0.05, 0.05, 0.05])
    assert student == pytest.approx(smoothed)


def test_many_classes_are_not_all_drawn_and_cross_entropy_has_no_teacher():
    figure = draw_soft_targets(tfkd.explain(tfkd.cross_entropy(), 1000))
    assert len(heights(figure)) == 2
    assert len(heights(figure)[0]) < 20
    assert "of 999 others" in figure.axes[0].get_xlabel()
    assert figure.axes[0].get_ylabel()


def test_a_network_teacher_has_nothing_to_draw():
    explanation = tfkd.explain(tfkd.knowledge_distillation(nn.Identity()), 10)
    with pytest.raises(ValueError, match="same for every sample"):
        draw_soft_targets(explanation)


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_files(tmp_path, suffix, start):
    file = tmp_path / "new" / f"picture{suffix}"
    save_soft_targets(tfkd.explain(tfkd.tf_kd_reg(), 10), file, title="Tf-KD_reg")
    assert file.read_bytes().startswith(start)


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.svg"):
        save_soft_targets(tfkd.explain(tfkd.tf_kd_reg(), 10), tmp_path / "picture.txt")
