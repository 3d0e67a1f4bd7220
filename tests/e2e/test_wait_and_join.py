"""/runs/wait and …/join: one JSON answer for a whole run, whatever its end."""

import asyncio
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from tests.support.step_server import StepServer

#: Both long-lived kinds of response send bytes at least this often.
HEARTBEAT_SECONDS = 5


async def test_wait_answers_the_final_values_and_says_where_the_run_is(http: httpx.AsyncClient, thread_id: str) -> None:
    response = await http.post(
        f"/threads/{thread_id}/runs/wait", json={"assistant_id": "sequence", "input": {"topic": "W"}}
    )
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"topic": "W", "messages": ["planner:W", "researcher:W", "writer:W", "editor:W"]}
    run_path = response.headers["content-location"]
    assert response.headers["location"] == f"{run_path}/join"
    assert (await http.get(run_path)).json()["status"] == "success"


async def test_a_second_run_goes_on_from_the_thread_of_the_first(client: LangGraphClient, thread_id: str) -> None:
    await client.runs.wait(thread_id, "sequence", input={"topic": "1"})
    values = await client.runs.wait(thread_id, "sequence", input={"topic": "2"})
    assert [message[-1] for message in values["messages"]] == ["1"] * 4 + ["2"] * 4


async def test_a_failure_is_the_answer_of_wait_and_join(http: httpx.AsyncClient, thread_id: str) -> None:
    failed = await http.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": "failing", "input": {"log": []}})
    assert (failed.status_code, failed.json()) == (200, {"__error__": {"error": "ValueError", "message": "boom"}})
    joined = await http.get(failed.headers["location"])
    assert joined.json() == failed.json()
    assert (await http.get(failed.headers["content-location"])).json()["status"] == "error"
    thread = (await http.get(f"/threads/{thread_id}")).json()
    assert (thread["status"], thread["error"]) == ("error", {"error": "ValueError", "message": "boom"})
    assert thread["values"] == {"log": ["works"]}


async def test_the_sdk_raises_what_the_graph_raised(client: LangGraphClient, thread_id: str) -> None:
    with pytest.raises(Exception, match="boom"):
        await client.runs.wait(thread_id, "failing", input={"log": []})


async def test_a_failure_does_not_outlive_the_next_success(client: LangGraphClient, thread_id: str) -> None:
    await client.runs.wait(thread_id, "failing", input={"log": []}, raise_error=False)
    await client.runs.wait(thread_id, "sequence", input={"topic": "after"})
    thread = await client.threads.get(thread_id)
    assert (thread["status"], thread["error"]) == ("idle", None)


async def test_joining_a_run_that_does_not_exist_says_so(http: httpx.AsyncClient, thread_id: str) -> None:
    unknown_run = await http.get(f"/threads/{thread_id}/runs/{uuid4()}/join")
    assert unknown_run.status_code == 200
    assert unknown_run.json() == {"__error__": {"error": "HTTPException", "message": "404: Run not found"}}


async def test_two_callers_join_one_run_and_both_get_its_values(
    client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("joined", 0)
    run = await client.runs.create(thread_id, "gated", input={"url": steps.url, "run": "joined", "steps": 2})
    joins = [asyncio.create_task(client.runs.join(thread_id, run["run_id"])) for _ in range(2)]
    await asyncio.to_thread(steps.wait_for_arrival, "joined", 0)
    steps.release("joined", 0)
    assert [values["log"] for values in await asyncio.gather(*joins)] == [[0, 1], [0, 1]]
    assert steps.arrivals("joined") == {0: 1, 1: 1}


async def test_long_answers_send_bytes_while_the_run_is_at_work(
    http: httpx.AsyncClient, client: LangGraphClient, thread_id: str, steps: StepServer
) -> None:
    steps.hold("long", 0)
    run = await client.runs.create(thread_id, "gated", input={"url": steps.url, "run": "long", "steps": 1})
    path = f"/threads/{thread_id}/runs/{run['run_id']}"

    async def first_bytes(url: str) -> bytes:
        async with http.stream("GET", url) as response:
            async for chunk in response.aiter_bytes():
                if b"heartbeat" in chunk or chunk.strip() == b"":
                    return chunk
        raise AssertionError(f"{url} ended without a heartbeat")

    async with asyncio.timeout(3 * HEARTBEAT_SECONDS):
        joined, streamed = await asyncio.gather(first_bytes(f"{path}/join"), first_bytes(f"{path}/stream"))
    assert (joined, streamed) == (b"\n", b": heartbeat\r\n\r\n")
    steps.release("long", 0)
    assert (await client.runs.join(thread_id, run["run_id"]))["log"] == [0]
