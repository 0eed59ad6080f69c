"""Losses of this package in other people's loops; each file is one host, imported where it is used."""
