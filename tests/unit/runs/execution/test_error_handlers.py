"""The error handler of a node begins once the node's error is stored, as in LangGraph, and is heard while it works."""

import asyncio
from typing import Any

import pytest
from langgraph.config import get_stream_writer

from errors import StaleAttempt
from streaming.events import START
from tests.support import sample_graphs
from tests.support.run_driver import D1Opener, FarDatabase, RunDriver, SlowSaver, always, named, run_alone

#: Stored errors of nodes that have a handler.
ERRORS = "SELECT 1 FROM checkpoint_writes WHERE entries LIKE '%__error_source_node__%'"


class ErrorSaver(SlowSaver):
    """Takes its time to store the error of a node, and notes when it has; or raises."""

    def __init__(self, done: list[str], failure: Exception | None) -> None:
        super().__init__()
        self._done = done
        self._failure = failure

    async def aput_writes(self, config: Any, writes: Any, *rest: Any) -> None:
        await super().aput_writes(config, writes, *rest)
        if any(channel == "__error__" for channel, _ in writes):
            await asyncio.sleep(0.01)
            if self._failure:
                raise self._failure
            self._done.append("stored")


async def execute(done: list[str], failure: Exception | None = None, **kwargs: Any) -> None:
    """Execute a node that fails, and note in `done` that its error is stored, and that it is handled."""

    async def handle(_state: Any) -> dict[str, Any]:
        done.append("handled")
        return {}

    driver = RunDriver(sample_graphs.handled(handle=handle), always(ErrorSaver(done, failure)))
    await driver.slice(driver.job(input={"topic": "t"}, **kwargs))


@pytest.mark.parametrize("config", [{}, {"max_concurrency": 1}], ids=["", "one at a time"])
@pytest.mark.parametrize("modes", [["tasks"], ["values"], ["events", "updates"]], ids=",".join)
async def test_an_error_handler_begins_once_the_error_is_stored(modes: list[str], config: dict[str, Any]) -> None:
    done: list[str] = []
    await execute(done, stream_mode=modes, config=config)
    assert done == ["stored", "handled"]


def test_an_error_handler_begins_once_the_error_is_committed_by_a_saver_that_runs_ahead() -> None:
    stored: list[int] = []

    async def handle(_state: Any) -> dict[str, Any]:
        stored.append(len(database.connection.execute(ERRORS).fetchall()))
        return {}

    database = FarDatabase()
    driver = RunDriver(sample_graphs.handled(handle=handle), D1Opener(database, write_behind=True))
    run_alone(lambda: driver.slice(driver.job(input={"topic": "t"})))
    assert stored == [1]


async def test_an_error_handler_does_not_begin_if_the_error_cannot_be_stored() -> None:
    done: list[str] = []
    with pytest.raises(StaleAttempt):
        await execute(done, StaleAttempt("another attempt"))
    assert done == []


@pytest.mark.parametrize("modes", [["custom"], ["custom", "tasks"], ["custom", "updates"]], ids=",".join)
@pytest.mark.parametrize("beside", [True, False], ids=["", "alone"])
async def test_what_an_error_handler_says_is_told_while_it_works(modes: list[str], *, beside: bool) -> None:
    told: list[str] = []

    async def handle(_state: Any) -> dict[str, Any]:
        get_stream_writer()("handling")
        await asyncio.sleep(0.1)
        told.extend(data for _, data in named(driver.streams.open(job.run_id).frames_after(START), "custom"))
        return {}

    driver = RunDriver(sample_graphs.handled(handle=handle, beside=beside))
    job = driver.job(input={"topic": "t"}, stream_mode=modes)
    await driver.slice(job)
    assert '"handling"' in told
