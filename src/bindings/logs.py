"""Log lines on Cloudflare's console, at its levels."""

import logging
from typing import Final

from js import console

from log_lines import JsonLines

#: The console method that shows a line at its level.
_METHODS: Final = ((logging.ERROR, console.error), (logging.WARNING, console.warn), (logging.INFO, console.log))


class ConsoleHandler(logging.Handler):
    """Writes to the JavaScript console; Python's own standard error would cut a traceback into lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        write = next((method for level, method in _METHODS if record.levelno >= level), console.debug)
        write(self.format(record))


def install() -> None:
    """Send every log line of Python code to the console, from INFO up."""
    handler = ConsoleHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
