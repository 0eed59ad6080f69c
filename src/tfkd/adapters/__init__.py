"""Losses of this package in other people's loops; imported where their hosts are used."""
