"""`python -m tfkd.cli`, as `torchrun -m` needs it."""

import sys

from tfkd.cli import main

if __name__ == "__main__":
    sys.exit(main())
