"""Creators of runs for tests that do not go through the API."""

from auth.principal import ANYONE
from runs.run_row import Creator
from tables.access import EVERYTHING

#: As on a server without authentication.
ANYBODY = Creator(version="", principal=ANYONE, threads=EVERYTHING, assistants=EVERYTHING)
