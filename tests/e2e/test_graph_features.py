"""What graphs can do: each conversation with a graph is held with the server and with LangGraph in this process.

Both must show the same events in the same order, and the same state afterwards.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.e2e.local_graphs import LocalThread, callbacks, comparable, comparable_state, events
from tests.support import sse_frames

#: A run's request, or what makes it of the ids of the questions that wait.
Turn = dict[str, Any] | Callable[[Sequence[str]], dict[str, Any]]

MODES = ["values", "updates", "custom", "tasks", "checkpoints"]

CONVERSATIONS: dict[str, list[Turn]] = {
    # Several questions at once; a plain answer to them is an error that leaves them as they are.
    "questions_at_once": [
        {"input": {"answers": []}},
        {"command": {"resume": "to which?"}},
        lambda ids: {"command": {"resume": {ids[0]: "one"}}},
        lambda ids: {"command": {"resume": {ids[0]: {"choice": 2}}}},
        {"input": {"answers": ["again"]}},
        {"input": None},
        lambda ids: {"command": {"resume": dict.fromkeys(ids, "both")}},
    ],
    # Two questions of one node, two graphs deep.
    "questions_nested": [
        {"input": {"answers": ["in"]}},
        {"command": {"resume": "plain"}},
        lambda ids: {"command": {"resume": {ids[0]: "by id"}}},
        {"command": {"resume": "to nobody"}},
    ],
    # Nodes that choose what is next, in their own graph and in the one around it.
    "routes_commands": [{"input": {"trail": ["left"]}}, {"input": {"trail": ["in"]}}],
    # Send, a deferred node, and clients that say where to go.
    "routes_fan_out": [
        {"input": {"trail": ["in"]}},
        {"command": {"goto": {"node": "work", "input": {"number": 9}}}},
        {"command": {"goto": [{"node": "work", "input": {"number": 7}}], "update": {"trail": ["u"]}}},
        {"command": {"goto": ["detour", "last"]}},
        {"command": {"goto": "nowhere"}},
        {"command": {"update": [["trail", ["a"]], ["trail", ["b"]]]}},
        {"input": {"trail": ["out"]}, "interrupt_before": ["last"]},
        {"input": None, "interrupt_after": "*"},
    ],
    # RemainingSteps and IsLastStep; a limit that is too low.
    "routes_managed": [
        {"input": {"seen": []}, "config": {"recursion_limit": 4}},
        {"input": {"seen": []}, "config": {"recursion_limit": 1}},
    ],
    # A graph with another state inside, whose checkpoints are the parent's, its own, or none.
    "nesting_forgetful": [{"input": {"text": "one"}}, {"input": {"text": "three"}}],
    "nesting_remembering": [{"input": {"text": "one"}}, {"input": {"text": "three"}}],
    "nesting_stateless": [{"input": {"text": "one"}}, {"input": {"text": "three"}}],
    # Called with `invoke` by a synchronous node.
    "nesting_blocking": [{"input": {"text": "one"}}, {"input": {"text": "three"}}],
    "schemas_pydantic": [
        {"input": {"name": "Ada", "age": 36}},
        {"command": {"resume": "yes"}},
        {"command": {"update": {"age": -1}, "goto": "move"}},
    ],
    "schemas_dataclass_state": [{"input": {"x": 1}}, {"input": {"x": 2, "z": 3}}],
    # Classes in a TypedDict, which come back as what they were.
    "schemas_classes": [{"input": {}}, {"command": {"resume": "go on"}}],
    # Nothing awaited: `future.result()`, and a question.
    "functions_blocking": [{"input": "a"}, {"command": {"resume": "fine"}}, {"input": "b"}],
    # What LangGraph overlooks.
    "mistakes_graph": [{"input": {"mistake": "goto"}}, {"input": {"mistake": "key"}}],
    # Tools: asynchronous, with the state injected, writing the state, unknown, asking.
    "agents_react": [
        {"input": {"messages": [{"role": "user", "content": content}]}}
        for content in ("reverse abc", "count x", "hand_over x", "nothing x", "ask weather")
    ]
    + [{"command": {"resume": "rain"}}],
}

MISTAKES = ["list", "scalar", "reducer", "textless", "group", "two writers"]

#: Inputs that a graph's schema refuses.
REFUSED: list[tuple[str, Any]] = [
    ("schemas_pydantic", {"name": "Ada", "age": -1}),
    ("schemas_pydantic", {"name": 7}),
    ("schemas_dataclass_state", {"y": 2}),
    ("mistakes_graph", "text"),
    ("mistakes_graph", ["list"]),
    ("mistakes_graph", {}),
    ("mistakes_graph", {"unknown": 1}),
    ("chat", {"messages": [{"content": "nobody's"}]}),
    ("chat", {"messages": 7}),
]


async def hold(http: httpx.AsyncClient, thread_id: str, graph_id: str, turns: Sequence[Turn], **every: Any) -> None:
    """Hold a conversation with both."""
    local = LocalThread(graph_id)
    shown: Any = {"tasks": []}
    for turn in turns:
        asked = [question["id"] for task in shown["tasks"] for question in task["interrupts"]]
        body = {"stream_mode": MODES, **every, **(turn(asked) if callable(turn) else turn)}
        local_body = {**body, **(turn(await local.questions()) if callable(turn) else {})}
        expected = [comparable(name, data) async for name, data in local.run(local_body)]
        response = await http.post(f"/threads/{thread_id}/runs/stream", json={"assistant_id": graph_id, **body})
        frames = sse_frames.parse(response.content)
        assert [comparable(frame.event, frame.data) for frame in frames[1:]] == expected
        shown = (await http.get(f"/threads/{thread_id}/state")).json()
        assert comparable_state(shown) == await local.comparable_state()


@pytest.mark.parametrize("subgraphs", [False, True], ids=["root only", "with subgraphs"])
@pytest.mark.parametrize("graph_id", CONVERSATIONS)
async def test_a_graph_does_what_it_does_in_process(
    http: httpx.AsyncClient, thread_id: str, graph_id: str, subgraphs: bool
) -> None:
    await hold(http, thread_id, graph_id, CONVERSATIONS[graph_id], stream_subgraphs=subgraphs)


@pytest.mark.parametrize("durability", ["sync", "exit"])
@pytest.mark.parametrize("graph_id", ["questions_nested", "routes_fan_out", "nesting_remembering"])
async def test_durability_changes_nothing_that_is_seen(
    http: httpx.AsyncClient, thread_id: str, graph_id: str, durability: str
) -> None:
    await hold(http, thread_id, graph_id, CONVERSATIONS[graph_id], stream_subgraphs=True, durability=durability)


@pytest.mark.parametrize("side", ["interrupt_before", "interrupt_after"])
@pytest.mark.parametrize("where", ["*", ["researcher"], ["planner", "writer"], ["nowhere"], []], ids=str)
async def test_breakpoints_stop_where_they_do_in_process(
    http: httpx.AsyncClient, thread_id: str, side: str, where: Any
) -> None:
    turns: list[Turn] = [{"input": {"topic": "t"}, side: where}, {"input": None, side: where}, {"input": None}]
    await hold(http, thread_id, "sequence", turns)


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_mistake_ends_its_run_with_langgraphs_error(
    http: httpx.AsyncClient, thread_id: str, mistake: str
) -> None:
    body = {"assistant_id": "mistakes_graph", "input": {"mistake": mistake}}
    values = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
    expected = [data async for name, data in LocalThread("mistakes_graph").run(body) if name == "error"]
    thread = (await http.get(f"/threads/{thread_id}")).json()
    assert ([values["__error__"]], thread["status"], thread["values"]["mistake"]) == (expected, "error", mistake)


@pytest.mark.parametrize(("graph_id", "given"), REFUSED, ids=str)
async def test_an_input_that_the_schema_refuses_is_the_runs_error_and_leaves_a_thread_that_answers(
    http: httpx.AsyncClient, thread_id: str, graph_id: str, given: Any
) -> None:
    body = {"assistant_id": graph_id, "input": given}
    values = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
    expected = [data async for name, data in LocalThread(graph_id).run(body) if name == "error"]
    assert [values["__error__"]["error"]] == [error["error"] for error in expected]
    for path in ("", "/state", "/history"):
        assert (await http.get(f"/threads/{thread_id}{path}")).status_code in (200, 400)


async def test_a_node_is_tried_again_as_often_as_its_policy_says(http: httpx.AsyncClient, thread_id: str) -> None:
    turns: list[Turn] = [{"input": {"key": str(uuid4()), "failures": failures}} for failures in (1, 2, 3)]
    await hold(http, thread_id, "policies_retried", turns)


CONTEXTS: list[tuple[str, dict[str, Any], Any]] = [
    ("context_dataclass", {"model": "big", "unknown": 1}, ["big", {}]),
    ("context_dataclass", {"limits": {"a": 1}}, ["small", {"a": 1}]),
    ("context_dataclass", {}, ["small", {}]),
    ("context_pydantic", {"model": "big", "unknown": 1}, ["big", 0.5]),
    ("context_pydantic", {}, "ValidationError"),
    ("context_pydantic", {"model": "big", "temperature": "hot"}, "ValidationError"),
]


@pytest.mark.parametrize("where", ["context", "configurable"])
@pytest.mark.parametrize(("schema", "context", "told"), CONTEXTS, ids=str)
async def test_a_context_is_what_its_schema_makes_of_it(
    client: LangGraphClient, schema: str, context: dict[str, Any], told: Any, where: str
) -> None:
    given: dict[str, Any] = {"context": context} if where == "context" else {"config": {"configurable": context}}
    values = await client.runs.wait(None, f"schemas_{schema}", input={"told": None}, raise_error=False, **given)
    assert isinstance(values, dict)
    assert told == (values["__error__"]["error"] if "__error__" in values else values["told"])


FACTORIES: list[tuple[str, Any]] = [
    ("of_config", "w"),
    ("of_runtime", ["threads.create_run", True, True]),
    ("of_both", ["w", "threads.create_run"]),
    ("around", 1),
]


@pytest.mark.parametrize(("factory", "told"), FACTORIES)
async def test_a_factory_makes_the_graph_of_a_run_and_of_everything_else(
    client: LangGraphClient, thread_id: str, factory: str, told: Any
) -> None:
    graph_id, config = f"factories_{factory}", {"configurable": {"word": "w"}}
    for _ in range(2):
        assert await client.runs.wait(thread_id, graph_id, input={"told": None}, config=config) == {"told": told}
    assert (await client.threads.get_state(thread_id))["values"] == {"told": told}
    assert len(await client.threads.get_history(thread_id)) == 6
    assert (await client.assistants.get_schemas((await client.runs.list(thread_id))[0]["assistant_id"]))["state_schema"]


async def test_what_a_factory_opened_is_closed_after_a_run_that_failed(client: LangGraphClient) -> None:
    for word, error in (("fail", "1 open"), ("fail", "1 open")):
        config = {"configurable": {"word": word}}
        values = await client.runs.wait(
            None, "factories_around", input={"told": None}, config=config, raise_error=False
        )
        assert values == {"__error__": {"error": "ValueError", "message": error}}


async def test_a_factory_that_fails_is_the_runs_error(client: LangGraphClient) -> None:
    values = await client.runs.wait(None, "factories_failing", input={"told": None}, raise_error=False)
    assert values == {"__error__": {"error": "LookupError", "message": "no such model"}}


async def test_a_cached_node_runs_once_for_all_threads(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    given = {"key": str(uuid4())}
    for cached in (False, True):
        thread_id = (await client.threads.create())["thread_id"]
        body = {"assistant_id": "policies_cached_by_server", "input": given, "stream_mode": "updates"}
        response = await http.post(f"/threads/{thread_id}/runs/stream", json=body)
        [update] = sse_frames.named(sse_frames.parse(response.content), "updates")
        assert update == {"expensive": {"log": ["run 1"]}} | ({"__metadata__": {"cached": True}} if cached else {})


async def test_a_cached_node_runs_again_when_its_time_is_over(client: LangGraphClient) -> None:
    given = {"key": str(uuid4())}
    runs = [(await client.runs.wait(None, "policies_cached_briefly", input=given))["log"] for _ in range(2)]
    assert runs == [["run 1"]] * 2
    await asyncio.sleep(1.1)  # the time to live of this cache policy
    assert (await client.runs.wait(None, "policies_cached_briefly", input=given))["log"] == ["run 2"]


async def test_a_graph_keeps_the_cache_it_was_compiled_with(client: LangGraphClient) -> None:
    given = {"key": str(uuid4())}
    for _ in range(2):
        assert (await client.runs.wait(None, "policies_cached_by_itself", input=given))["log"] == ["run 1"]


#: What the scripted model says before it calls `reverse`, as it accumulates, and what it says of the tool's answer.
CALLS = [("Let me ", None), ("Let me see.", None), *[("Let me see.", args) for args in ({}, {}, {"text": "abc"})]]
TELLS = ["The tool ", "The tool says ", "The tool says cba", "The tool says cba"]


def _arguments(message: dict[str, Any]) -> list[Any]:
    return [call["args"] for call in message.get("tool_calls", ())]


async def test_messages_mode_accumulates_tokens_and_tool_calls(http: httpx.AsyncClient, thread_id: str) -> None:
    given = {"messages": [{"role": "user", "content": "reverse abc"}]}
    body = {"assistant_id": "agents_react", "input": given, "stream_mode": "messages"}
    frames = sse_frames.parse((await http.post(f"/threads/{thread_id}/runs/stream", json=body)).content)
    shown = [frame for frame in frames if frame.event in ("messages/partial", "messages/complete")]
    told = [
        (frame.event, message["type"], message["content"], next(iter(_arguments(message)), None))
        for frame in shown
        for message in frame.data
    ]
    partial, complete = "messages/partial", "messages/complete"
    calls, tool = [(partial, "ai", *call) for call in CALLS], (complete, "tool", "cba", None)
    tells = [(partial, "ai", text, None) for text in TELLS]
    # LangChain ends each answer with an empty token.
    assert told == [*calls, calls[-1], tool, *tells, tells[-1]]
    named = [key for frame in frames if frame.event == "messages/metadata" for key in frame.data]
    assert named == list(dict.fromkeys(message["id"] for frame in shown for message in frame.data))


@pytest.mark.parametrize("mode", ["messages-tuple", "events"])
async def test_tokens_of_an_agent_come_as_they_do_in_process(
    http: httpx.AsyncClient, thread_id: str, mode: str
) -> None:
    given = {"messages": [{"role": "user", "content": "reverse abc"}]}
    body = {"assistant_id": "agents_react", "input": given, "stream_mode": mode}
    frames = sse_frames.parse((await http.post(f"/threads/{thread_id}/runs/stream", json=body)).content)
    if mode == "events":
        expected = [told async for told in callbacks("agents_react", given)]
        assert [(frame.data["event"], frame.data["name"]) for frame in frames[1:]] == expected
    else:
        expected = [comparable(name, data) async for name, data in events("agents_react", given, [mode])]
        assert [comparable(frame.event, frame.data) for frame in frames[1:]] == expected
