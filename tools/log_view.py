"""The Worker's log lines for people at a terminal: one coloured line each, instead of JSON."""

import json
import re
import time
from typing import Any, Final

#: wrangler adds a symbol and colours to lines above information.
_LINE: Final = re.compile(r'\{"level": .*\}')

_LEVELS: Final = {"debug": "\x1b[2m", "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31m"}
_DIM: Final = "\x1b[2m"
_RESET: Final = "\x1b[0m"

#: Fields that a developer with one version and a few runs does not need; a deployed Worker's lines have them.
_HIDDEN: Final = frozenset({"level", "logger", "message", "event", "version", "request_id", "trace_id", "traceback"})


def shown(line: str) -> str | None:
    """A log line in the form to show, with a line end; None if it is no log line."""
    found = _LINE.search(line)
    try:
        fields: dict[str, Any] = json.loads(found[0]) if found else {}
    except ValueError:
        return None
    if not fields.keys() >= {"level", "logger", "message"}:
        return None
    level = fields["level"]
    about = " ".join(f"{name}={value}" for name, value in fields.items() if name not in _HIDDEN)
    now = time.strftime("%H:%M:%S")
    text = f"{_DIM}{now}{_RESET} {_LEVELS.get(level, '')}{level:<7}{_RESET} {fields['message']}"
    text += f"  {_DIM}{about}{_RESET}\n" if about else "\n"
    return text + "".join(f"    {each}\n" for each in fields.get("traceback", "").splitlines())
