"""Telling of a run's end, over HTTP, until somebody takes it."""
