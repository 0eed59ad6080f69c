import sys
from pathlib import Path

# Scripts, and not a package: they find one another in their own folder.
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
