"""Losses of this package in other people's loops; one host a file or folder, imported where it is used."""
