"""Parsing bodies, and the wording of refusals."""

import pytest

from errors import Unprocessable
from wire import bodies, queries
from wire.runs import RunCreate
from wire.threads import ThreadSearch


@pytest.mark.parametrize(
    ("model", "body", "says"),
    [
        (RunCreate, "{}", '"assistant_id" is a required property'),
        (RunCreate, "[]", "The body: Input should be an object, not []"),
        (RunCreate, "{", "Invalid JSON in request body"),
        (
            RunCreate,
            '{"assistant_id":"a","multitask_strategy":"bogus"}',
            "multitask_strategy: Input should be 'reject', 'interrupt', 'rollback' or 'enqueue', not 'bogus'",
        ),
        (
            RunCreate,
            '{"assistant_id":"a","config":{"recursion_limit":"5"}}',
            "config.recursion_limit: Input should be a valid integer, not '5'",
        ),
        (RunCreate, '{"assistant_id":"a","checkpoint_id":"x"}', "Invalid checkpoint ID: must be a UUID"),
        (ThreadSearch, '{"ids":["x"]}', "ids.0: Invalid thread ID: must be a UUID, not 'x'"),
        (ThreadSearch, '{"limit":1001}', "limit: Input should be less than or equal to 1000, not 1001"),
    ],
)
def test_a_refusal_names_the_field_and_what_it_may_be(model: type[bodies.Body], body: str, says: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        bodies.parse(model, body)
    assert str(refused.value) == says


def test_a_refusal_is_short_and_plain_however_long_and_odd_the_input() -> None:
    with pytest.raises(Unprocessable) as refused:
        bodies.parse(RunCreate, '{"assistant_id":["' + "é" * 10_000 + '"]}')
    assert len(str(refused.value)) < 200
    assert str(refused.value).isprintable()


def test_a_stream_mode_is_reported_by_its_place() -> None:
    with pytest.raises(Unprocessable, match=r"stream_mode\.1: Input should be 'values', 'messages'.* not 'tools'"):
        bodies.parse(RunCreate, '{"assistant_id":"a","stream_mode":["values","tools"]}')


def test_unknown_fields_and_explicit_nulls_are_accepted() -> None:
    body = bodies.parse(RunCreate, '{"assistant_id":"a","assistantId":5,"context":null,"config":{"tags":null,"x":1}}')
    assert body == RunCreate(assistant_id="a", config={"tags": None})  # type: ignore[arg-type]


class Page(queries.Query):
    """A query."""

    limit: int = 10
    select: list[str] = []  # noqa: RUF012 - pydantic copies it


def test_a_query_takes_every_repetition_of_a_list_and_the_last_of_anything_else() -> None:
    pairs = [("limit", "1"), ("select", "a"), ("limit", "2"), ("select", "b\0\ud800"), ("other", "x")]
    assert queries.parse(Page, pairs) == Page(limit=2, select=["a", "b\ufffd?"])
    assert queries.parse(Page, []) == Page()


def test_a_wrong_query_names_the_parameter() -> None:
    with pytest.raises(Unprocessable, match=r"limit: Input should be a valid integer.* not 'x'"):
        queries.parse(Page, [("limit", "x")])
