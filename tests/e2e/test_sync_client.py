"""The official synchronous Python client."""

from collections.abc import Iterator

import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient

ARTICLE = {"topic": "Y", "messages": ["planner:Y", "researcher:Y", "writer:Y", "editor:Y"]}


@pytest.fixture
def sync_client(server_url: str) -> Iterator[SyncLangGraphClient]:
    with get_sync_client(url=server_url) as client:
        yield client


def test_the_synchronous_client_takes_every_door(sync_client: SyncLangGraphClient) -> None:
    thread_id = sync_client.threads.create()["thread_id"]
    assert sync_client.runs.wait(thread_id, "sequence", input={"topic": "Y"}) == ARTICLE
    parts = list(sync_client.runs.stream(thread_id, "sequence", input={"topic": "Y"}, stream_mode="updates"))
    assert [part.event for part in parts] == ["metadata"] + ["updates"] * 4
    run = sync_client.runs.create(thread_id, "sequence", input={"topic": "Y"})
    assert len(sync_client.runs.join(thread_id, run["run_id"])["messages"]) == 12
    assert sync_client.runs.get(thread_id, run["run_id"])["status"] == "success"
    assert sync_client.threads.get_state(thread_id)["next"] == []
    replay = sync_client.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")
    assert [part.event for part in replay] == ["metadata"] + ["values"] * 5
