import re
import runpy
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_training_loop_learns(capsys):
    runpy.run_path(str(EXAMPLES / "training_loop.py"))
    printed = capsys.readouterr().out
    accuracy = float(re.search(r"'accuracy': ([\d.]+)", printed)[1])
    # 597 digits that it has not seen, by other writers; guessing gives 0.1.
    assert accuracy > 0.85
    assert "VirtualTeacher(confidence=0.99)" in printed
