"""The JSON lines that a piece of code logs."""

import json
import logging
from typing import Any

from log_lines import JsonLines


class WrittenLines(logging.Handler):
    """Keeps each line decoded; within the block it is a handler of the root logger."""

    def __init__(self, level: int = logging.INFO) -> None:
        super().__init__(level)
        self.setFormatter(JsonLines(lambda: {"version": "v1"}))
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        self.lines.append(json.loads(self.format(record)))

    def events(self, *fields: str) -> list[tuple[Any, ...]]:
        """(event, the fields' values) of each line that has an event."""
        return [(line["event"], *(line.get(field) for field in fields)) for line in self.lines if line.get("event")]

    def __enter__(self) -> "WrittenLines":
        root = logging.getLogger()
        self._level_before = root.level
        root.setLevel(self.level)
        root.addHandler(self)
        return self

    def __exit__(self, *_error: object) -> None:
        root = logging.getLogger()
        root.removeHandler(self)
        root.setLevel(self._level_before)
