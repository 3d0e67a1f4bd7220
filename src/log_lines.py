"""Log records as one line of JSON each, for the platform's log search, with the fields of their context.

A line is `{"level", "logger", "message", "event"?, …about, …extra, "traceback"?}`. Code that begins to work on a run or
a request sets the context once, and every line written meanwhile, even by a graph, carries its fields.
"""

import json
import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

#: The attributes of every record; all others were given as `extra` and belong in the line.
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

_about: Final = ContextVar[Mapping[str, object]]("log_lines", default=MappingProxyType({}))


@contextmanager
def about(**fields: object) -> Generator[None]:
    """Add these fields to every line of the block and of the tasks that it starts; None removes a field."""
    known = {**_about.get(), **fields}
    token = _about.set(MappingProxyType({name: value for name, value in known.items() if value is not None}))
    try:
        yield
    finally:
        _about.reset(token)


class JsonLines(logging.Formatter):
    """The formatter; `always` gives fields of every line, such as the deployed version."""

    def __init__(self, always: Callable[[], Mapping[str, object]] = dict) -> None:
        super().__init__()
        self._always = always

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line; its own `extra` wins over the fields of its context."""
        given = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        line: dict[str, object] = {
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._always(),
            **_about.get(),
            **given,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return f"{{{', '.join(f'{json.dumps(name)}: {_json(value)}' for name, value in line.items())}}}"


def _json(value: object) -> str:
    """A value as JSON, or as a text that describes it, because a graph may log anything."""
    try:
        return json.dumps(value, default=repr, allow_nan=False)
    except Exception:  # noqa: BLE001 - NaN, a cycle, a key that is no text, a broken `__repr__` of the graph's own
        return json.dumps(_described(value))


def _described(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - see `_json`
        return f"<{type(value).__name__}>"
