"""`python -m tfkd.cli`, as `torchrun -m` needs it."""

import sys
from pathlib import Path

# Python puts the current folder first when it is started so. What lies there, a run that somebody
# sent, is not asked for a module; a folder that PYTHONPATH names has its own entry.
if sys.path[0] in ("", str(Path.cwd())) and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]

from tfkd.cli import main

if __name__ == "__main__":
    sys.exit(main())
