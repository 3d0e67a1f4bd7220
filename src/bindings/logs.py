"""Log lines on Cloudflare's console, at the console's levels, including what graphs print."""

import io
import logging
import sys
from collections.abc import Mapping
from typing import Final

from js import console

from bindings import process_environment
from log_lines import JsonLines

#: The console method for each level.
_METHODS: Final = ((logging.ERROR, console.error), (logging.WARNING, console.warn), (logging.INFO, console.log))


class ConsoleHandler(logging.Handler):
    """Writes to the JavaScript console, because Python's standard error would split a traceback into lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; a line that cannot be formatted or written is dropped."""
        write = next((method for level, method in _METHODS if record.levelno >= level), console.debug)
        try:
            write(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler of Python's
            self.handleError(record)


class PrintedLines(io.TextIOBase):
    """A standard output that logs its lines, so that the output of a node names its run."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._begun = ""

    def writable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def write(self, text: str) -> int:
        """Log each line once it is complete."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in filter(str.strip, lines):
            self._logger.info("%s", line)
        return len(text)


def _version() -> Mapping[str, object]:
    """The deployed version, a field of every line."""
    return {"version": process_environment.worker_version()}


def install() -> None:
    """Send every log line of Python code to the console, from INFO up."""
    handler = ConsoleHandler()
    handler.setFormatter(JsonLines(_version))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each request of a graph, with its whole URL
    sys.stdout = PrintedLines(logging.getLogger("stdout"))
