"""Log records as lines of JSON."""

import asyncio
import json
import logging

import log_lines
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


class Broken:
    """Cannot even be named."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_whatever_a_graph_logs_is_a_line_that_can_be_read() -> None:
    endless: list[object] = []
    endless.append(endless)
    odd = {"loss": float("nan"), "by": {(1, 2): 3}, "endless": endless, "broken": Broken(), "deep": [Broken()]}
    line = format_record(**odd, run_id="r")
    assert {name: line[name] for name in odd} == {
        "loss": "nan",
        "by": "{(1, 2): 3}",
        "endless": "[[...]]",
        "broken": "<Broken>",
        "deep": "<list>",
    }
    assert line["run_id"] == "r"


def test_a_traceback_stays_in_its_line() -> None:
    try:
        raise ValueError("boom")
    except ValueError as error:
        line = format_record(exc_info=(type(error), error, error.__traceback__))
    assert "ValueError: boom" in str(line["traceback"])


async def test_a_line_says_what_the_code_at_work_is_about() -> None:
    async def line() -> dict[str, object]:
        return format_record(odd=1)

    with log_lines.about(thread_id="t", run_id="r", attempt=1):
        begun = asyncio.ensure_future(line())
        with log_lines.about(attempt=2, run_id=None):
            inner = await line()
    outside = await line()
    common = {"level": "warning", "logger": "api.app", "message": "took 3 s", "odd": 1}
    assert await begun == {**common, "thread_id": "t", "run_id": "r", "attempt": 1}
    assert inner == {**common, "thread_id": "t", "attempt": 2}
    assert outside == common


def test_a_record_knows_better_than_its_surroundings() -> None:
    with log_lines.about(run_id="outer", thread_id="t"):
        line = format_record(run_id="inner")
    assert (line["run_id"], line["thread_id"]) == ("inner", "t")


def test_every_line_says_which_version_wrote_it() -> None:
    record = logging.makeLogRecord({"msg": "x"})
    assert json.loads(JsonLines(lambda: {"version": "v1"}).format(record))["version"] == "v1"
