"""The command line."""

from tfkd.cli.program import main

__all__ = ["main"]
