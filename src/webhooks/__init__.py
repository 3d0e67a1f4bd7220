"""Delivers the end of a run over HTTP, until the receiver has accepted it."""
