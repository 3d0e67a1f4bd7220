"""LangGraph's own conformance suite for checkpoint savers, with all its capabilities."""

from collections.abc import AsyncIterator

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate

from d1_checkpointer import D1Saver
from tests.support.conformance import TESTS
from tests.support.sqlite_database import SqliteDatabase


@checkpointer_test(name="D1Saver")
async def d1_saver() -> AsyncIterator[D1Saver]:
    yield D1Saver(SqliteDatabase())


@pytest.mark.asyncio
async def test_every_capability_conforms() -> None:
    report = await validate(d1_saver)
    assert [failure for result in report.results.values() for failure in result.failures or []] == []
    assert {name: result.tests_passed for name, result in report.results.items()} == TESTS
