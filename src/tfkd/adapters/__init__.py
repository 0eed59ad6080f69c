"""Losses of this package in other people's loops; one host a file, imported where it is used."""
