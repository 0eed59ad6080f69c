"""Weights that come from elsewhere: which file, what is in it, and how it fits a network."""
