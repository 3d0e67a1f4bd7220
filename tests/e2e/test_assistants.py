"""Assistants with the official clients, and two assistants on one thread."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "node_modules" / ".bin" / "node"
SCRIPT = Path(__file__).parent / "javascript" / "assistants.mjs"


async def test_the_life_of_an_assistant(client: LangGraphClient) -> None:
    made = await client.assistants.create(
        "factory", context={"word": "Hi"}, metadata={"owner": "life"}, name="Greeter", description="greets"
    )
    assistant_id = made["assistant_id"]
    assert (made["version"], made["config"]) == (1, {"configurable": {"word": "Hi"}})
    with pytest.raises(ConflictError):
        await client.assistants.create("factory", assistant_id=assistant_id)
    assert await client.assistants.create("sequence", assistant_id=assistant_id, if_exists="do_nothing") == made
    changed = await client.assistants.update(assistant_id, context={"word": "Bye"}, metadata={"mood": "sad"})
    assert (changed["version"], changed["metadata"]) == (2, {"owner": "life", "mood": "sad"})
    assert await client.assistants.get(assistant_id) == changed
    versions = await client.assistants.get_versions(assistant_id)
    assert [version["version"] for version in versions] == [2, 1]
    assert [version["context"] for version in versions] == [{"word": "Bye"}, {"word": "Hi"}]
    restored = await client.assistants.set_latest(assistant_id, 1)
    assert restored == {**made, "updated_at": restored["updated_at"]}
    found = await client.assistants.search(metadata={"owner": "life"}, response_format="object")
    assert (found["assistants"], found["next"]) == ([restored], None)
    assert await client.assistants.count(name="greeter", graph_id="factory") == 1
    await client.assistants.delete(assistant_id)
    with pytest.raises(NotFoundError):
        await client.assistants.get(assistant_id)


async def test_two_assistants_with_other_configurations_on_one_thread(client: LangGraphClient, thread_id: str) -> None:
    hello = await client.assistants.create(
        "factory", config={"configurable": {"word": "Hello"}, "tags": ["a"], "recursion_limit": 7}
    )
    goodbye = await client.assistants.create("factory", context={"word": "Goodbye"})
    greeting = {"name": "you"}
    for assistant, given, text in (
        (hello, {}, "Hello you"),
        (goodbye, {}, "Goodbye you"),
        (hello, {}, "Hello you"),
        (hello, {"config": {"configurable": {"other": 1}}}, "Hello you"),
        (goodbye, {"context": {"word": "So long"}}, "So long you"),
        (goodbye, {}, "Goodbye you"),
    ):
        values = await client.runs.wait(thread_id, assistant["assistant_id"], input=greeting, **given)
        assert values["text"] == text
    run = await client.runs.create(thread_id, hello["assistant_id"], input=greeting, config={"tags": ["b"]})
    config = run["kwargs"]["config"]
    assert (config["tags"], config["recursion_limit"], config["configurable"]["word"]) == (["b"], 7, "Hello")
    await client.runs.join(thread_id, run["run_id"])
    assert (await client.threads.get(thread_id))["metadata"]["assistant_id"] == hello["assistant_id"]


async def test_graphs_are_drawn_and_described(client: LangGraphClient) -> None:
    found = await client.assistants.search(metadata={"created_by": "system"}, limit=100)
    by_graph = {assistant["graph_id"]: assistant["assistant_id"] for assistant in found}
    nested = by_graph["nested"]
    assert await client.assistants.get_graph(nested) == await client.assistants.get_graph("nested")
    nodes = {node["id"] for node in (await client.assistants.get_graph(nested, xray=True))["nodes"]}
    assert {"child:inner_first", "child:inner_second"} <= nodes
    trail = {"trail": {"items": {"type": "string"}, "title": "Trail", "type": "array"}}
    subgraphs = await client.assistants.get_subgraphs(nested, recurse=True)
    assert subgraphs["child"]["input_schema"]["properties"] == trail
    assert await client.assistants.get_subgraphs(nested, namespace="child") == subgraphs
    for graph_id in ("sequence", "chat", "nested", "functional", "factory"):
        described = await client.assistants.get_schemas(by_graph[graph_id])
        assert described["graph_id"] == graph_id
        assert described["input_schema"] is not None
    chat = (await client.assistants.get_schemas(by_graph["chat"]))["input_schema"]
    assert chat is not None
    assert "HumanMessage" in chat["$defs"]


@pytest.fixture(scope="module")
def seen(server_url: str) -> dict[str, Any]:
    """What the JavaScript client got from each call."""
    finished = subprocess.run(
        [NODE, SCRIPT, server_url], cwd=ROOT, text=True, capture_output=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def test_the_javascript_client_goes_through_the_same_life(seen: dict[str, Any]) -> None:
    made, changed = seen["made"], seen["changed"]
    assert changed == {**made, "version": 2, "name": "renamed", "updated_at": changed["updated_at"]}
    assert [version["version"] for version in seen["versions"]] == [2, 1]
    assert seen["restored"] == {**made, "updated_at": seen["restored"]["updated_at"]}
    assert seen["found"]["assistants"] == [seen["restored"]]
    assert seen["count"] == 1
    assert seen["missing"] == 404


def test_the_javascript_client_reads_graphs(seen: dict[str, Any]) -> None:
    assert "child:inner_first" in {node["id"] for node in seen["graph"]["nodes"]}
    assert seen["schemas"]["graph_id"] == "nested"
    assert list(seen["subgraphs"]) == ["child"]
