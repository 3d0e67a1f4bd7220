"""Values as graphs keep them in state, under the names that `golden_bytes.py` gives their bytes."""

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import ipaddress
import re
import uuid
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.types import Command, Interrupt, Send
from pydantic import BaseModel


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 300


@dataclasses.dataclass
class Point:
    x: int
    label: str


@dataclasses.dataclass(frozen=True)
class Cell:
    row: int


class Pair(NamedTuple):
    left: int
    right: list[int]


class Invoice(BaseModel):
    number: int
    due: dt.date
    colour: Colour


#: What the serializer must be allowed to load beside LangGraph's own types.
CLASSES = (Colour, Level, Point, Cell, Pair, Invoice)

MOMENT = dt.datetime(2026, 11, 21, 3, 44, 38, 627217, tzinfo=dt.UTC)

VALUES: dict[str, Any] = {
    "integers": [
        *(0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1),
        *(-1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**63)),
    ],
    "floats": [0.0, -0.0, 1.5, 1e300, float("inf"), float("-inf")],
    "texts": ["", "a" * 31, "a" * 32, "a" * 255, "a" * 256, "é世🎉\0"],
    "bytes": {"empty": b"", "all": bytes(range(256))},
    "containers": {"list": list(range(20)), "nested": [[], {}, [{"a": [None, True, False]}]]},
    "keys": {1: "int", 2.5: "float", None: "none", False: "bool", b"k": "bytes", (1, ("a",)): "tuple", "text": 1},
    "sets": [{1}, frozenset({"a"}), collections.deque([1, 2])],
    "moments": [MOMENT, MOMENT.replace(tzinfo=None), MOMENT.date(), MOMENT.time(), dt.timedelta(1, 2, 3)],
    "zones": [dt.UTC, ZoneInfo("Europe/Berlin")],
    "identifiers": [
        uuid.UUID(int=7),
        decimal.Decimal("1.50"),
        ipaddress.ip_address("::1"),
        re.compile("a.b", re.IGNORECASE),
    ],
    "enums": [Colour.RED, Level.HIGH, {"level": Level.HIGH}],
    "classes": [Point(1, "here"), Cell(2), Pair(1, [2]), Invoice(number=1, due=MOMENT.date(), colour=Colour.RED)],
    "conversation": [
        SystemMessage("be brief", id="1"),
        HumanMessage([{"type": "text", "text": "héllo"}], id="2"),
        AIMessage("", id="3", tool_calls=[{"name": "search", "args": {"q": "x"}, "id": "call"}]),
        ToolMessage("found", id="4", tool_call_id="call", artifact={"when": MOMENT}),
    ],
    "documents": [Document("text", metadata={"page": 1})],
    "control": [Send("node", {"n": 1}), Interrupt("why?", id="i"), Command(resume={"i": "because"}, goto="node")],
    "snapshots": [_DeltaSnapshot([]), _DeltaSnapshot([1, 2, 3]), _DeltaSnapshot([HumanMessage("x", id="1")])],
}
