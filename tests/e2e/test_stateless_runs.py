"""/runs/wait and /runs/stream: runs without a thread of the caller, which leave nothing behind."""

import httpx
from langgraph_sdk.client import LangGraphClient

from tests.support import sse_frames
from tests.support.waiting import until

BODY = {"assistant_id": "sequence", "input": {"topic": "S"}}
ARTICLE = {"topic": "S", "messages": ["planner:S", "researcher:S", "writer:S", "editor:S"]}


async def assert_thread_disappears(http: httpx.AsyncClient, run_path: str) -> None:
    thread_path = run_path.partition("/runs/")[0]

    async def gone() -> bool:
        return (await http.get(thread_path)).status_code == 404

    await until(f"{thread_path} disappears", gone)


async def test_a_stateless_wait_answers_and_its_thread_disappears(http: httpx.AsyncClient) -> None:
    response = await http.post("/runs/wait", json=BODY)
    assert (response.status_code, response.json()) == (200, ARTICLE)
    assert response.headers["location"] == response.headers["content-location"] + "/join"
    await assert_thread_disappears(http, response.headers["content-location"])


async def test_a_stateless_thread_is_kept_on_request(http: httpx.AsyncClient) -> None:
    response = await http.post("/runs/wait", json=BODY | {"on_completion": "keep"})
    thread = await http.get(response.headers["content-location"].partition("/runs/")[0])
    assert (thread.status_code, thread.json()["values"]) == (200, ARTICLE)


async def test_a_stateless_stream_is_the_stream_of_the_run(http: httpx.AsyncClient) -> None:
    response = await http.post("/runs/stream", json=BODY | {"stream_mode": "values"})
    frames = sse_frames.parse(response.content)
    assert [frame.event for frame in frames] == ["metadata"] + ["values"] * 5
    assert frames[-1].data == ARTICLE
    assert response.headers["content-location"] == f"/runs/{frames[0].data['run_id']}"
    sse_frames.assert_strictly_increasing(frames)


async def test_a_stateless_failure_is_an_answer_too(http: httpx.AsyncClient) -> None:
    response = await http.post("/runs/wait", json={"assistant_id": "failing", "input": {"log": []}})
    assert (response.status_code, response.json()) == (200, {"__error__": {"error": "ValueError", "message": "boom"}})
    await assert_thread_disappears(http, response.headers["content-location"])


async def test_two_stateless_runs_do_not_share_state(client: LangGraphClient) -> None:
    first = await client.runs.wait(None, **BODY)
    second = await client.runs.wait(None, **BODY)
    assert first == second == ARTICLE


async def test_the_sdk_streams_without_a_thread(client: LangGraphClient) -> None:
    parts = [part async for part in client.runs.stream(None, **BODY, stream_mode="updates")]
    assert [part.event for part in parts] == ["metadata"] + ["updates"] * 4


async def test_a_callers_thread_id_is_not_used(client: LangGraphClient, thread_id: str) -> None:
    config = {"configurable": {"thread_id": thread_id}}
    assert await client.runs.wait(None, **BODY, config=config) == ARTICLE
    assert (await client.threads.get(thread_id))["values"] is None
