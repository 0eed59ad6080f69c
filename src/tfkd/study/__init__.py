"""Studies: plans of runs, their execution and their statistics."""
