"""The table `assistants`: a page in any order is read from an index, whoever asks for it."""

from typing import get_args

import pytest
from langgraph_sdk.schema import AssistantSortBy

from ports import Statement
from tables import assistants
from tables.access import EVERYTHING
from tests.support.sqlite_database import SqliteDatabase


def plan(statement: Statement) -> str:
    rows = SqliteDatabase().connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.params)
    return "\n".join(row["detail"] for row in rows)


@pytest.mark.parametrize("sort_by", sorted(set(get_args(AssistantSortBy)) - {"graph_id"}))
@pytest.mark.parametrize("sort_order", ["asc", "desc"])
def test_a_page_is_read_from_an_index(sort_by: AssistantSortBy, sort_order: str) -> None:
    wanted = assistants.Search(metadata={"a": 1}, graph_id=None, name="x", served=["g"], access=EVERYTHING)
    page = assistants.select_page(wanted, sort_by=sort_by, sort_order=sort_order, limit=10, offset=0)  # type: ignore[arg-type]
    assert "USE TEMP B-TREE" not in plan(page)


def test_a_page_of_one_graph_is_read_from_an_index() -> None:
    wanted = assistants.Search(metadata={}, graph_id="g", name=None, served=["g"], access=EVERYTHING)
    page = assistants.select_page(wanted, sort_by="created_at", sort_order="desc", limit=10, offset=0)
    assert "assistants_by_graph_id" in plan(page)
    assert "USE TEMP B-TREE" not in plan(page)


def test_tools_are_read_from_indexes() -> None:
    listed = plan(assistants.select_tools(["g"], EVERYTHING, limit=10, offset=0))
    assert "assistants_by_created_at" in listed
    assert "SEARCH older USING INDEX assistants_by_name" in listed
    assert "SCAN" not in plan(assistants.select_tool("x", ["g"], EVERYTHING)).replace("SCAN json_each", "")
