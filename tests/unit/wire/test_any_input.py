"""Whatever arrives, a parser returns its model or says what is wrong."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from api.routes import ROUTES
from errors import Unprocessable
from wire import bodies, queries

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
BODIES = sorted({route.body for route in ROUTES if route.body}, key=lambda model: model.__name__)
QUERIES = sorted({route.query for route in ROUTES if route.query}, key=lambda model: model.__name__)


def keys_of(model: type[BaseModel]) -> st.SearchStrategy[str]:
    """A field of the model, or any name."""
    return st.sampled_from(sorted(model.model_fields) or ["x"]) | st.text(max_size=5)


@pytest.mark.parametrize("model", BODIES)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_body_is_read_or_refused(model: type[BaseModel], data: st.DataObject) -> None:
    value = data.draw(st.dictionaries(keys_of(model), json_values, max_size=5) | json_values)
    text = data.draw(st.sampled_from([json.dumps(value), json.dumps(value, ensure_ascii=False)]) | st.binary())
    with contextlib.suppress(Unprocessable):
        assert isinstance(bodies.parse(model, text), BaseModel)


@pytest.mark.parametrize("model", QUERIES)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_a_query_is_read_or_refused(model: type[BaseModel], data: st.DataObject) -> None:
    texts = st.text(max_size=10) | st.sampled_from(["1", "0", "true", "-1", "[]", '["a"]', "\ud800", "\0"])
    pairs = data.draw(st.lists(st.tuples(keys_of(model), texts), max_size=5))
    with contextlib.suppress(Unprocessable):
        assert isinstance(queries.parse(model, pairs), model)


@given(json_values.filter(lambda value: not isinstance(value, float)))
def test_json_is_read_as_it_was_written_but_for_nul(value: Any) -> None:
    with contextlib.suppress(Unprocessable):
        assert bodies.parse_json(json.dumps(value)) == json.loads(json.dumps(value).replace("\\u0000", "\\ufffd"))
