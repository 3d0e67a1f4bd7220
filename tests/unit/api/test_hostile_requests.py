"""No request, however malformed, gets a 5xx."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.routes import ROUTES
from http_messages import HttpRequest, HttpResponse, Passthrough
from tests.support.http_api import Api

UNKNOWN = "0b4211ba-46f4-4cdb-830a-6ba6412ee448"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["sequence", UNKNOWN, "*"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
routes = st.sampled_from(ROUTES)
path_values = st.sampled_from([UNKNOWN, "", "abc", "%00", "%ff", "..", "\ud800"]) | st.text(max_size=10)


#: Also what no URL can spell.
url_texts = st.text() | st.sampled_from(["\ud800", "\0"])


@st.composite
def requests(draw: st.DrawFn) -> HttpRequest:
    """A request to a route that is served, with anything in it."""
    route = draw(routes)
    path = "/".join(draw(path_values) if part.startswith("{") else part for part in route.path.split("/"))
    fields = list(route.body.model_fields) if route.body else ["x"]
    body = draw(st.dictionaries(st.sampled_from(fields), json_values) | json_values)
    if route.body and isinstance(body, dict) and draw(st.booleans()):
        body["assistant_id"] = "sequence"
    raw = draw(
        st.sampled_from([json.dumps(body).encode(), json.dumps(body)]) | st.binary(max_size=20) | st.text(max_size=20)
    )
    names = st.sampled_from(list(route.query.model_fields) if route.query else ["x"])
    query = draw(st.lists(st.tuples(names, url_texts), max_size=3))
    headers = draw(st.dictionaries(st.sampled_from(["prefer", "origin", "last-event-id", "content-length"]), st.text()))
    return HttpRequest(route.method, path, query, headers, raw)


TOO_LARGE = "x" * 2_100_000


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/threads", {"metadata": {"a": TOO_LARGE}}),
        ("POST", "/threads/search", {"metadata": {"a": TOO_LARGE}}),
        ("POST", "/threads/search", {"metadata": {TOO_LARGE: 1}}),
        ("POST", "/assistants/search", {"name": TOO_LARGE}),
        ("PATCH", f"/threads/{UNKNOWN}", {"metadata": {"a": TOO_LARGE}}),
        ("POST", f"/threads/{UNKNOWN}/runs", {"assistant_id": "sequence", "metadata": {"a": TOO_LARGE}}),
        ("POST", f"/threads/{UNKNOWN}/runs", {"assistant_id": "sequence", "config": {"tags": [TOO_LARGE]}}),
        ("POST", f"/threads/{UNKNOWN}/state/checkpoint", {"checkpoint": {"checkpoint_id": TOO_LARGE}}),
    ],
)
async def test_what_no_row_can_hold_is_refused_as_too_large(method: str, path: str, body: object) -> None:
    api = Api()
    await api.json("POST", "/threads", {"thread_id": UNKNOWN, "metadata": {"graph_id": "sequence"}})
    assert "too big" in await api.detail(method, path, body, status=413)
    assert (api.rows("threads"), api.rows("runs")) == (1, 0)


@given(requests())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_request_is_answered_below_500(request: HttpRequest) -> None:
    async def ask() -> None:
        api = Api()
        await api.json("POST", "/threads", {"thread_id": UNKNOWN, "metadata": {"graph_id": "sequence"}})
        answer = await api.ask_raw(request)
        if isinstance(answer, Passthrough):
            return
        assert isinstance(answer, HttpResponse)
        assert answer.status < 500, answer.body
        answer.body.encode()
        for name, value in answer.headers.items():
            f"{name}: {value}".encode()

    asyncio.run(ask())
