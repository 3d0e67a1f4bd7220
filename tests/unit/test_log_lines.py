"""Log records as lines of JSON."""

import json
import logging

from log_lines import JsonLines


def format_record(**fields: object) -> dict[str, object]:
    """A record's line, decoded."""
    record = logging.makeLogRecord(
        {"name": "api.app", "levelname": "WARNING", "msg": "took %d s", "args": (3,), **fields}
    )
    line = JsonLines().format(record)
    assert "\n" not in line
    return json.loads(line)


def test_a_record_is_one_line_with_what_was_given_as_extra() -> None:
    assert format_record(run_id="r", odd={1}) == {
        "level": "warning",
        "logger": "api.app",
        "message": "took 3 s",
        "run_id": "r",
        "odd": "{1}",
    }


def test_a_traceback_stays_in_its_line() -> None:
    try:
        raise ValueError("boom")
    except ValueError as error:
        line = format_record(exc_info=(type(error), error, error.__traceback__))
    assert "ValueError: boom" in str(line["traceback"])
