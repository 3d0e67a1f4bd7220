"""Valid requests with anything in one place: they are served, or refused before anything is written."""

import asyncio
import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.routing import Route
from http_messages import Passthrough
from tests.support import every_operation
from tests.support.every_operation import served

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["sequence", "*"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutations(draw: st.DrawFn, original: Any, fields: list[str]) -> Any:
    """The original with one value replaced, removed or, at the top, added."""
    body = copy.deepcopy(original)
    place, key = draw(st.sampled_from([*_places(body), (body, None)]))
    if key is None:
        if not isinstance(body, dict) or not fields:
            return draw(json_values)
        body[draw(st.sampled_from(fields))] = draw(json_values)
    elif draw(st.booleans()):
        place[key] = draw(json_values)
    else:
        del place[key]
    return body


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container inside and every key or index of it."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return [place for key, item in items for place in [(value, key), *_places(item)]]


@pytest.mark.parametrize("route", [route for route in served() if route.method != "GET"], ids=every_operation.name)
def test_a_good_request_with_something_else_in_it_is_served_or_refused(route: Route) -> None:
    with asyncio.Runner() as runner:
        world = runner.run(every_operation.world())
        original = world.body(route)
        fields = list(route.body.model_fields) if route.body else []

        @given(mutations(original, fields))
        @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        def check(body: Any) -> None:
            before = world.api.db.rows_written
            answer = runner.run(
                world.api.ask(route.method, world.url(route), json.dumps(body), headers=every_operation.HEADERS)
            )
            if isinstance(answer, Passthrough):
                return
            assert answer.status < 500, answer.body
            if answer.status >= 400:
                assert world.api.db.rows_written == before, f"{answer.status} {answer.body}"

        check()
