"""JSON of arbitrary values in a graph's state."""

import json
import math
from collections import namedtuple
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langgraph.types import Interrupt, Send
from pydantic import BaseModel, model_serializer

from streaming.json_text import RunEncoder, dumps

MESSAGES = {
    "human": (
        HumanMessage("hi", id="1"),
        '{"content":"hi","additional_kwargs":{},"response_metadata":{},"type":"human","name":null,"id":"1"}',
    ),
    "ai": (
        AIMessage("hi", id="1"),
        (
            '{"content":"hi","additional_kwargs":{},"response_metadata":{},"type":"ai","name":null,"id":"1",'
            '"tool_calls":[],"invalid_tool_calls":[],"usage_metadata":null}'
        ),
    ),
    "tool": (
        ToolMessage("5", tool_call_id="call_1", name="adder", id="1"),
        (
            '{"content":"5","additional_kwargs":{},"response_metadata":{},"type":"tool","name":"adder","id":"1",'
            '"tool_call_id":"call_1","artifact":null,"status":"success"}'
        ),
    ),
    "chunk": (
        AIMessageChunk(content="hi", id="1"),
        (
            '{"content":"hi","additional_kwargs":{},"response_metadata":{},"type":"AIMessageChunk","name":null,"id":"1",'
            '"tool_calls":[],"invalid_tool_calls":[],"usage_metadata":null,"tool_call_chunks":[],"chunk_position":null}'
        ),
    ),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_messages_have_the_wires_keys_in_the_wires_order(kind: str) -> None:
    message, expected = MESSAGES[kind]
    assert dumps(message) == expected
    assert RunEncoder().dumps(message) == expected


class Model(BaseModel):
    """A pydantic state."""

    when: datetime
    inner: "Model | None" = None


@dataclass
class Point:
    """A dataclass state."""

    x: int
    tags: set[str]


class Color(Enum):
    """An enumeration."""

    RED = "red"


class Slotted:
    """Nothing JSON knows."""

    __slots__ = ()

    def __str__(self) -> str:
        return "slotted"


class Mute:
    """Cannot even say its name."""

    def __str__(self) -> str:
        raise ValueError


Pair = namedtuple("Pair", "a b")
MOMENT = datetime(2026, 11, 21, 3, 44, 38, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Interrupt({"a": 1}, id="x"), '{"value":{"a":1},"id":"x","response_schema":null}'),
        (Send("node", {"a": 1}), '{"node":"node","arg":{"a":1}}'),
        (Model(when=MOMENT, inner=Model(when=MOMENT)).when, '"2026-11-21T03:44:38+00:00"'),
        (Model(when=MOMENT), '{"when":"2026-11-21T03:44:38+00:00","inner":null}'),
        (Point(1, {"a"}), '{"x":1,"tags":["a"]}'),
        (Pair(1, (2, 3)), "[1,[2,3]]"),
        (Color.RED, '"red"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Decimal("1.50"), '"1.50"'),
        (timedelta(minutes=1), "60.0"),
        (b"text", '"text"'),
        (b"\xff\xfe", '"//4="'),
        (ValueError("boom"), '{"error":"ValueError","message":"boom"}'),
        (Slotted(), '"slotted"'),
        (Mute(), '"<Mute>"'),
        (2**70, "1180591620717411303424"),
        ({1: "a", None: "b", False: "c"}, '{"1":"a","null":"b","false":"c"}'),
        ({(1, 2): 1, UUID(int=1): 2, Color.RED: 3}, '{"(1, 2)":1,"00000000-0000-0000-0000-000000000001":2,"red":3}'),
        ([float("nan"), float("inf"), 1.5], "[null,null,1.5]"),
        ("\ud83e", '"\ufffd"'),
        ("\ud83e\udd9c", '"🦜"'),
        ("é\u2028\r\n", '"é\u2028\\r\\n"'),
    ],
)
def test_each_type_has_its_text(value: Any, expected: str) -> None:
    assert dumps(value) == expected
    assert RunEncoder().dumps([value]) == f"[{expected}]"


def test_endless_nesting_and_cycles_end() -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    assert json.loads(dumps(deep)) != []
    assert json.loads(dumps(cycle)).keys() == {"self"}


@dataclass
class Node:
    """A tree whose nodes know their parent: each cycle leads into every branch."""

    parent: "Node | None"
    children: "list[Node]"

    @classmethod
    def of(cls, depth: int, parent: "Node | None" = None) -> "Node":
        node = cls(parent, [])
        node.children = [cls.of(depth - 1, node) for _ in range(3 if depth else 0)]
        return node


def test_a_tree_with_ways_back_is_written_once() -> None:
    assert dumps(Node.of(1)) == (
        '{"parent":null,"children":[' + ",".join(['{"parent":"<Node>","children":[]}'] * 3) + "]}"
    )
    assert len(dumps(Node.of(4))) < 10_000


class Stubborn(BaseModel):
    """A model that does not want to be written."""

    @model_serializer
    def refuse(self) -> dict[str, Any]:
        raise RuntimeError("no")

    def __str__(self) -> str:
        return "stubborn"


@dataclass
class Unfinished:
    """Has a field that cannot be read."""

    other: int = field(init=False)

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __str__(self) -> str:
        return "stubborn"


class Closed(dict[str, int]):
    """A mapping that does not tell what it holds."""

    def items(self) -> Any:
        raise KeyError("no")


class Faceless:
    """Does not even say what it is."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value", [Stubborn(), {1: Stubborn()}, {"nan": float("nan"), "a": [Stubborn()]}, [Unfinished()]]
)
def test_a_class_that_cannot_be_written_is_described(value: Any) -> None:
    assert '"stubborn"' in dumps(value)


def test_a_value_whose_own_methods_fail_is_named_by_its_type() -> None:
    named = {"closed": "<Closed>", "faceless": "<Faceless>", "inside": {"2": ["<Faceless>", None]}}
    value = {"closed": Closed(a=1), "faceless": Faceless(), "inside": {2: [Faceless(), math.nan]}}
    assert json.loads(dumps(value)) == json.loads(RunEncoder().dumps(value)) == named


def test_an_integer_too_long_for_a_decimal_text_is_written_in_hexadecimal() -> None:
    assert json.loads(dumps([1, 10**5000])) == [1, hex(10**5000)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_plain_json_survives(value: Any) -> None:
    text = dumps(value)
    assert json.loads(text) == json.loads(json.dumps(value))
    assert "\n" not in text
    assert "\r" not in text
    text.encode()


def test_a_run_encodes_a_message_once_and_again_when_a_field_was_replaced() -> None:
    encoder = RunEncoder()
    message = AIMessage("one", id="1")
    first = encoder.dumps({"messages": [message, message]})
    message.content = "two"
    assert first == dumps({"messages": [AIMessage("one", id="1")] * 2})
    assert encoder.dumps([message]) == dumps([AIMessage("two", id="1")])
