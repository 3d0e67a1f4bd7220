"""Log records as one line of JSON each, for the platform's log search."""

import json
import logging
from typing import Final

#: What every record has; the rest was given as `extra` and belongs into the line.
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """`{"level", "logger", "message", …extra, "traceback"?}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line."""
        fields = {"level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        fields |= {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=repr)
