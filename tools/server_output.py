"""wrangler's output without its noise, and the reason in it why a Worker did not start."""

import re
import sys
import threading
from collections import deque
from itertools import takewhile
from typing import IO, Final

from tools import log_view

#: Noise: wrangler lists two thousand modules at every start, and warns that nothing fires crons, although
#: `minute_ticks` does.
_NEEDLESS: Final = re.compile(
    r"\s*[┌├└│]|.*(Scheduled Workers are not auto|To manually trigger a scheduled|/local/scheduled|/cron-triggers/)"
)

#: When the bundle step fails, wrangler shows the reason and then everything it knows about the process, which scrolls
#: the reason off the screen: from one of these lines to the other.
_DUMP: Final = re.compile(r".*Process exited with non-zero status")
_AFTER_DUMP: Final = re.compile(r".*Running custom build .* failed")
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")

#: The line of a Python traceback with which its message begins.
_ERROR_LINE: Final = re.compile(r"\s*(?:[\w.]+\.)?(\w*(?:Error|Exception|Exit)): (.*)")
_TRACEBACK: Final = "Traceback (most recent call last):"

#: Errors whose message is written for the operator: their name adds nothing.
_PLAIN: Final = frozenset({"GraphLoadError", "ProjectConfigError"})

KEPT_LINES: Final = 400


def start_error(output: str) -> str | None:
    """Why the Worker did not start, from its last Python error; None if there was none."""
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
    """Shows a process's output as it comes, readably on a terminal, and keeps the end of it."""

    def __init__(self, source: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._source = source
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)

    def run(self) -> None:
        """Until the process closes its output."""
        is_readable = sys.stderr.isatty()
        after_log_line = in_dump = False
        for raw in self._source:
            line = raw.decode(errors="replace")
            in_dump = bool(_DUMP.match(line)) or (in_dump and not _AFTER_DUMP.match(line))
            if in_dump or _NEEDLESS.match(line):
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
