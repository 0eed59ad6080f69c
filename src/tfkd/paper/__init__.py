"""The experiments of the Tf-KD paper: its tables, its numbers, its recipes, as studies."""
