"""Invalid input gets the documented status and a message, leaves nothing behind and does not affect the next call."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

THREAD = "{thread}"
UNKNOWN = str(uuid4())
RUN_DOORS = ["runs", "runs/wait", "runs/stream"]
#: Larger than MAX_BODY_BYTES is unless somebody sets it.
HUGE = 20 * 1024 * 1024


async def assert_error(response: httpx.Response, status: int, *named: str) -> None:
    """The status, the one error shape, and the words the message must have."""
    assert response.status_code == status, response.text
    body = response.json()
    assert body.keys() == {"detail"}
    assert isinstance(body["detail"], str)
    for word in named:
        assert word in body["detail"]


async def assert_unaffected(client: LangGraphClient, thread_id: str) -> None:
    """No run was left on the thread, and it still works."""
    assert await client.runs.list(thread_id) == []
    assert (await client.threads.get(thread_id))["status"] == "idle"
    values = await client.runs.wait(thread_id, "sequence", input={"topic": "ok"})
    assert len(values["messages"]) == 4


@pytest.mark.parametrize("door", RUN_DOORS)
@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({}, 422, "assistant_id"),
        ({"assistant_id": 7}, 422, "7"),
        ({"assistant_id": "nobody"}, 422, "nobody"),
        ({"assistant_id": UNKNOWN}, 404, ""),
        ({"assistant_id": "sequence", "stream_mode": "nonsense"}, 422, "nonsense"),
        ({"assistant_id": "sequence", "stream_mode": 3}, 422, ""),
        ({"assistant_id": "sequence", "multitask_strategy": "maybe"}, 422, "maybe"),
        ({"assistant_id": "sequence", "durability": "eternal"}, 422, "eternal"),
        ({"assistant_id": "sequence", "if_not_exists": 1}, 422, ""),
        ({"assistant_id": "sequence", "metadata": "x"}, 422, "x"),
        ({"assistant_id": "sequence", "config": []}, 422, ""),
        ({"assistant_id": "sequence", "command": "go"}, 422, "go"),
        ({"assistant_id": "sequence", "after_seconds": "soon"}, 422, "soon"),
        ({"assistant_id": "sequence", "interrupt_before": 5}, 422, ""),
        ({"assistant_id": "sequence", "checkpoint_id": "x"}, 422, ""),
        ({"assistant_id": "sequence", "config": {"recursion_limit": "x"}}, 422, ""),
        ({"assistant_id": "sequence", "config": {"configurable": {"a": 1}}, "context": {"b": 2}}, 400, "context"),
        ([], 422, ""),
        ("text", 422, ""),
        (None, 422, ""),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict | list | str) else None,
)
async def test_a_wrong_run_body_is_refused_at_every_door(
    http: httpx.AsyncClient, client: LangGraphClient, thread_id: str, door: str, body: Any, status: int, named: str
) -> None:
    await assert_error(await http.post(f"/threads/{thread_id}/{door}", json=body), status, named)
    assert await client.runs.list(thread_id) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"assistant_id": "sequence",}',
        b"\xff\xfe",
        b'{"assistant_id": "sequence", "input": NaN}',
        b"sequence",
    ],
    ids=["empty", "cut off", "trailing comma", "not UTF-8", "NaN", "bare word"],
)
async def test_broken_json_is_refused_at_every_door(
    http: httpx.AsyncClient, client: LangGraphClient, thread_id: str, content: bytes
) -> None:
    for path in [f"/threads/{thread_id}/{door}" for door in RUN_DOORS] + [
        "/runs/wait",
        "/runs/stream",
        "/assistants/search",
    ]:
        await assert_error(await http.post(path, content=content), 422, "JSON")
    await assert_unaffected(client, thread_id)


@pytest.mark.parametrize("door", RUN_DOORS)
async def test_a_run_on_an_unknown_thread_is_404(http: httpx.AsyncClient, door: str) -> None:
    missing = uuid4()
    await assert_error(await http.post(f"/threads/{missing}/{door}", json={"assistant_id": "sequence"}), 404)
    await assert_error(await http.get(f"/threads/{missing}"), 404)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/threads/not-a-uuid", 422),
        ("GET", "/threads/not-a-uuid/state", 422),
        ("GET", "/threads/not-a-uuid/runs", 422),
        ("GET", f"/threads/{THREAD}/runs/not-a-uuid", 422),
        ("GET", f"/threads/{THREAD}/runs/{UNKNOWN}", 404),
        ("GET", f"/threads/{UNKNOWN}", 404),
        ("GET", f"/threads/{UNKNOWN}/runs", 404),
        ("GET", f"/threads/{UNKNOWN}/runs/{UNKNOWN}", 404),
        ("GET", f"/threads/{UNKNOWN}/state", 404),
        ("GET", f"/threads/{UNKNOWN}/history", 404),
        ("GET", f"/threads/{THREAD}/history?limit=ten", 422),
        ("GET", f"/threads/{THREAD}/nowhere", 404),
        ("GET", "/runs/wait", 405),
        ("PUT", f"/threads/{THREAD}/runs", 405),
        ("GET", "/%00", 404),
    ],
)
async def test_a_wrong_path_is_named_not_a_crash(
    http: httpx.AsyncClient, thread_id: str, method: str, path: str, status: int
) -> None:
    await assert_error(await http.request(method, path.format(thread=thread_id)), status)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"thread_id": "x"}, 422),
        ({"thread_id": 5}, 422),
        ({"metadata": "x"}, 422),
        ({"if_exists": "perhaps"}, 422),
        ([], 422),
    ],
    ids=str,
)
async def test_a_wrong_thread_is_not_created(http: httpx.AsyncClient, body: Any, status: int) -> None:
    await assert_error(await http.post("/threads", json=body), status)


async def test_a_thread_id_is_taken_once(http: httpx.AsyncClient) -> None:
    body = {"thread_id": str(uuid4())}
    created = await http.post("/threads", json=body | {"metadata": {"first": True}})
    assert created.status_code == 200
    await assert_error(await http.post("/threads", json=body), 409, body["thread_id"])
    existing = await http.post("/threads", json=body | {"if_exists": "do_nothing", "metadata": {"first": False}})
    assert (existing.status_code, existing.json()["metadata"]) == (200, {"first": True})


@pytest.mark.parametrize("door", RUN_DOORS)
async def test_a_body_over_the_limit_is_413(
    http: httpx.AsyncClient, client: LangGraphClient, thread_id: str, door: str
) -> None:
    body = b'{"assistant_id": "sequence", "input": {"topic": "' + b"x" * HUGE + b'"}}'
    await assert_error(await http.post(f"/threads/{thread_id}/{door}", content=body), 413)
    await assert_unaffected(client, thread_id)


async def test_a_graph_that_raises_does_not_hurt_its_thread_or_others(
    http: httpx.AsyncClient, client: LangGraphClient, thread_id: str
) -> None:
    for _ in range(2):
        failed = await http.post(
            f"/threads/{thread_id}/runs/wait", json={"assistant_id": "failing", "input": {"log": []}}
        )
        assert failed.json() == {"__error__": {"error": "ValueError", "message": "boom"}}
    other = (await client.threads.create())["thread_id"]
    for thread in (thread_id, other):
        assert len((await client.runs.wait(thread, "sequence", input={"topic": "ok"}))["messages"]) == 4


async def test_an_input_the_graph_cannot_take_is_the_runs_error(http: httpx.AsyncClient, thread_id: str) -> None:
    response = await http.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "sequence", "input": "text"})
    assert response.status_code == 200
    assert response.json()["__error__"]["error"] == "InvalidUpdateError"


@pytest.mark.parametrize(
    "text", ["\u0000", "🦜", "a" * 200_000, '"\\\r\n\u2028'], ids=["NUL", "emoji", "long", "escapes"]
)
async def test_any_text_survives_the_way_through(client: LangGraphClient, thread_id: str, text: str) -> None:
    values = await client.runs.wait(thread_id, "sequence", input={"topic": text})
    assert isinstance(values, dict)
    assert values["topic"] == text.replace("\u0000", "\ufffd")
    assert (await client.threads.get_state(thread_id))["values"]["topic"] == values["topic"]


@pytest.mark.parametrize("door", RUN_DOORS)
async def test_half_a_surrogate_pair_does_not_crash_anything(
    http: httpx.AsyncClient, client: LangGraphClient, thread_id: str, door: str
) -> None:
    content = b'{"assistant_id": "sequence", "input": {"topic": "\\ud83e"}}'
    assert (await http.post(f"/threads/{thread_id}/{door}", content=content)).status_code < 500
    assert (await client.runs.wait(None, "sequence", input={"topic": "ok"}))["topic"] == "ok"


@pytest.mark.parametrize("limit", [0, 1001, "ten"])
async def test_a_page_of_history_has_a_size(http: httpx.AsyncClient, thread_id: str, limit: Any) -> None:
    await assert_error(await http.post(f"/threads/{thread_id}/history", json={"limit": limit}), 422)


async def test_large_integers_keep_their_digits(http: httpx.AsyncClient, thread_id: str) -> None:
    response = await http.post(
        f"/threads/{thread_id}/runs/wait",
        json={"assistant_id": "approval", "input": {"draft": "n", "decision": 2**60 + 1}},
    )
    assert response.json()["decision"] == 2**60 + 1


async def test_unknown_fields_are_ignored(http: httpx.AsyncClient, thread_id: str) -> None:
    body = {"assistant_id": "sequence", "assistantId": "sequence", "input": {"topic": "x"}, "from_the_future": {"a": 1}}
    assert (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).status_code == 200


async def test_the_recursion_limit_ends_the_run_with_its_name(http: httpx.AsyncClient, thread_id: str) -> None:
    body = {"assistant_id": "sequence", "input": {"topic": "x"}, "config": {"recursion_limit": 2}}
    response = await http.post(f"/threads/{thread_id}/runs/wait", json=body)
    assert response.json()["__error__"]["error"] == "GraphRecursionError"


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_node_that_calls_sys_exit_ends_its_run_and_nothing_else(
    http: httpx.AsyncClient, is_async: bool
) -> None:
    body = {"assistant_id": "exiting", "input": {"is_async": is_async}}
    response = await http.post("/runs/wait", json=body)
    assert response.json() == {"__error__": {"error": "SystemExit", "message": "3"}}
    assert (await http.get("/ok")).status_code == 200
