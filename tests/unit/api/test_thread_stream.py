"""GET /threads/{thread_id}/stream: what is decided before the thread's object is called."""

import json

import pytest

from http_messages import Passthrough
from runs.thread_object import object_paths
from runs.thread_object.object_paths import FollowRequest
from tests.support.http_api import Api

UNKNOWN = "3a8483bb-a45e-424a-ae57-0bebddbee6e3"


async def asked(api: Api, thread_id: str, query: str = "", **headers: str) -> dict[str, object]:
    """The options that the thread's object is asked with."""
    answer = await api.ask("GET", f"/threads/{thread_id}/stream{query}", headers=headers)
    assert isinstance(answer, Passthrough)
    request = object_paths.parse(api.thread_objects.opened[-1][1])
    assert isinstance(request, FollowRequest)
    assert request.kind == "stream"
    return json.loads(request.options)


@pytest.mark.parametrize(
    ("query", "modes"),
    [
        ("", ["run_modes"]),
        ("?stream_mode=", ["run_modes"]),
        ("?stream_modes=lifecycle", ["lifecycle"]),
        ("?stream_mode=lifecycle&stream_mode=state_update", ["lifecycle", "state_update"]),
        ("?stream_modes=lifecycle,state_update", ["lifecycle", "state_update"]),
        ("?stream_modes=lifecycle&stream_mode=run_modes", ["lifecycle", "run_modes"]),
    ],
)
async def test_both_names_of_the_modes_count(query: str, modes: list[str]) -> None:
    api = Api()
    assert (await asked(api, await api.new_thread(), query))["modes"] == modes


@pytest.mark.parametrize(
    ("header", "after"),
    [("-", [-1, 0]), ("0", [0, 0]), ("1795233974301-17", [1795233974301, 17]), ("1795233974301", [1795233974301, 0])],
)
async def test_a_stream_goes_on_after_an_id(header: str, after: list[int]) -> None:
    api = Api()
    assert (await asked(api, UNKNOWN, **{"last-event-id": header}))["after"] == after


async def test_without_an_id_it_begins_with_what_happens_next() -> None:
    assert (await asked(Api(), UNKNOWN))["after"] is None


async def test_what_no_stream_knows_is_refused() -> None:
    api = Api()
    for name in ("stream_mode", "stream_modes"):
        assert "bogus" in await api.detail("GET", f"/threads/{UNKNOWN}/stream?{name}=bogus", status=422)
    for header in ("-1", "x", "1-2-3"):
        answer = await api.json("GET", f"/threads/{UNKNOWN}/stream", status=422, **{"last-event-id": header})
        assert "last-event-id" in answer["detail"]
    await api.detail("GET", "/threads/abc/stream", status=422)
    assert api.thread_objects.opened == []
