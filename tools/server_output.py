"""What wrangler says, without what nobody reads; and out of it, why a Worker did not start."""

import re
import sys
import threading
from collections import deque
from itertools import takewhile
from typing import IO, Final

from tools import log_view

#: wrangler lists two thousand modules at every start.
_MODULE_TABLE: Final = re.compile(r"\s*[┌├└│]")
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")

#: The line of a Python traceback with which its message begins.
_ERROR_LINE: Final = re.compile(r"\s*(?:[\w.]+\.)?(\w*(?:Error|Exception|Exit)): (.*)")
_TRACEBACK: Final = "Traceback (most recent call last):"

#: Errors whose message is written for the operator: their name adds nothing.
_PLAIN: Final = frozenset({"GraphLoadError", "ProjectConfigError"})

KEPT_LINES: Final = 400


def start_error(output: str) -> str | None:
    """Why the Worker did not start, in the words of its last Python error; None when there was none."""
    lines = _COLOURS.sub("", output).splitlines()
    begins = [number for number, line in enumerate(lines) if line.endswith(_TRACEBACK)]
    after = lines[begins[-1] + 1 :] if begins else []
    for number, line in enumerate(after):
        if found := _ERROR_LINE.fullmatch(line):
            more = takewhile(lambda line: line.strip() and not line.lstrip().startswith("at "), after[number + 1 :])
            message = "\n".join([found[2], *(line.removeprefix("  ").rstrip() for line in more)])
            return message if found[1] in _PLAIN else f"{found[1]}: {message}"
    return None


class Relay(threading.Thread):
    """Shows a process's output as it comes, at a terminal readably, and keeps the end of it."""

    def __init__(self, source: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._source = source
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)

    def run(self) -> None:
        """Until the process closes its output."""
        is_readable = sys.stderr.isatty()
        after_log_line = False
        for raw in self._source:
            line = raw.decode(errors="replace")
            if _MODULE_TABLE.match(line):
                continue
            self._kept.append(line)
            log_line = log_view.shown(line) if is_readable else None
            if not (after_log_line and not line.strip()):  # wrangler's distance after a warning
                sys.stderr.write(log_line or line)
                sys.stderr.flush()
                after_log_line = log_line is not None

    def text(self) -> str:
        """The last lines."""
        return "".join(self._kept)
