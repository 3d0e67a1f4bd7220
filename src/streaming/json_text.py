"""JSON text of anything a graph can put into its state, a stream or an interrupt.

`dumps` never fails: what JSON cannot hold becomes the nearest thing a client can read. The C encoder does the work;
only values it refuses (keys that are not text, NaN, cycles, extreme nesting) pay for a second, slower walk.
"""

import base64
import dataclasses
import json
import math
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, cast

from langchain_core.messages import BaseMessage
from langgraph.types import Send
from pydantic import BaseModel

#: Deeper values are cut to the name of their type: clients and SQLite's JSON functions give up not far beyond.
MAX_DEPTH: Final = 200

#: Python writes no decimal text of much longer integers.
MAX_INTEGER_BITS: Final = 14_000

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def dumps(value: object) -> str:
    """`value` as compact JSON text that always encodes to UTF-8."""
    return _encode(value, _ENCODER)


def described(value: object) -> str:
    """The `str` of a value, or its type where it has none."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a broken __str__ of the graph's own class must not end its run
        return f"<{type(value).__name__}>"


class RunEncoder:
    """`dumps` that remembers the text of each message, for one run.

    `values` repeats every message of the thread at every super-step, so encoding each anew is quadratic. A message is
    encoded again when one of its fields was replaced; a change inside a field (an item appended to `tool_calls` of a
    message already in the state) is invisible here as it is to LangGraph, which would not store it either.
    """

    def __init__(self, message_fields: Callable[[BaseMessage], dict[str, Any]] | None = None) -> None:
        self._message_fields = message_fields or all_message_fields
        # The marker stands for a message inside the encoded text; nobody can guess it, so no state can contain it.
        self._marker = secrets.token_hex(16)
        self._slots = re.compile(f'"{self._marker}(\\d+)"')
        self._texts: dict[int, tuple[BaseMessage, dict[str, Any], str]] = {}
        self._encoder = _strict_encoder(self._plain)

    def dumps(self, value: object) -> str:
        """See the module's `dumps`."""
        text = _encode(value, self._encoder)
        return self._slots.sub(lambda slot: self._texts[int(slot[1])][2], text) if self._marker in text else text

    def _plain(self, value: object) -> Any:
        if not isinstance(value, BaseMessage):
            return _plain(value)
        key = id(value)
        known = self._texts.get(key)
        if known is None or known[1] != cast(object, value.__dict__):
            # Keeping the message alive is what makes its id() a safe key.
            self._texts[key] = (value, dict(value.__dict__), dumps(self._message_fields(value)))
        return f"{self._marker}{key}"


def _encode(value: object, encoder: json.JSONEncoder) -> str:
    try:
        text = encoder.encode(value)
    except Exception:  # noqa: BLE001 - methods of the graph's own classes may raise anything
        text = encoder.encode(_tolerant(value, encoder.default, set()))
    return text if text.isascii() else _without_lone_surrogates(text)


def _strict_encoder(plain: Callable[[object], Any]) -> json.JSONEncoder:
    return json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain)


def _without_lone_surrogates(text: str) -> str:
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain(value: object) -> Any:
    """One level of `value` in terms the encoder knows, or its `str`."""
    if isinstance(value, BaseMessage):
        return all_message_fields(value)
    for kind, convert in _CONVERSIONS:
        if isinstance(value, kind):
            return _converted(value, convert)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _converted(value, _dataclass_fields)
    return described(value)


def all_message_fields(message: BaseMessage) -> dict[str, Any]:
    """A message as runs and states show it."""
    # Fields are stored in their declared order, which is the wire's order (API: human, ai and tool messages).
    return {**message.__dict__, **(message.__pydantic_extra__ or {})}


def told_message_fields(message: BaseMessage) -> dict[str, Any]:
    """A message as the streaming protocol shows it: without what is empty, and usage, which `message-finish` tells."""
    fields = all_message_fields(message)
    return {
        "type": fields.pop("type"),
        "content": fields.pop("content"),
        "id": fields.pop("id"),
        **{
            name: value
            for name, value in fields.items()
            if name == "artifact" or (name != "usage_metadata" and value not in (None, {}, []))
        },
    }


def _converted(value: object, convert: Callable[[Any], Any]) -> Any:
    try:
        return convert(value)
    except Exception:  # noqa: BLE001 - a broken serializer of the graph's own class must not end its run
        return described(value)


def _bytes_text(value: bytes | bytearray | memoryview) -> str:
    raw = bytes(value)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode()


def _exception_object(value: BaseException) -> dict[str, str]:
    return {"error": type(value).__name__, "message": described(value)}


def _dataclass_fields(value: Any) -> dict[str, object]:
    return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}


def _set_items(value: Iterable[object]) -> list[object]:
    return list(value)


_CONVERSIONS: Final[tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...]] = (
    (BaseModel, lambda model: model.model_dump()),
    (BaseException, _exception_object),
    (Enum, lambda member: member.value),
    (Send, lambda send: {"node": send.node, "arg": send.arg}),
    ((datetime, date, time), lambda moment: moment.isoformat()),
    (timedelta, lambda span: span.total_seconds()),
    (Decimal, str),
    ((bytes, bytearray, memoryview), _bytes_text),
    (Mapping, dict),
    ((set, frozenset), _set_items),
)


def _tolerant(value: object, plain: Callable[[object], Any], around: set[int]) -> Any:
    """A copy of `value` that the strict encoder accepts; `around` are the ids of the values it stands in."""
    try:
        return _copied(value, plain, around)
    except Exception:  # noqa: BLE001 - a broken method of the graph's own class must not end its run
        return f"<{type(value).__name__}>"


def _copied(value: object, plain: Callable[[object], Any], around: set[int]) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= MAX_INTEGER_BITS else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if id(value) in around or len(around) == MAX_DEPTH:
        return f"<{type(value).__name__}>"
    around.add(id(value))
    try:
        if isinstance(value, Mapping):
            items = cast(Mapping[object, object], value).items()
            return {_key(key): _tolerant(item, plain, around) for key, item in items}
        if isinstance(value, list | tuple):
            return [_tolerant(item, plain, around) for item in cast(Iterable[object], value)]
        return _tolerant(plain(value), plain, around)
    finally:
        around.remove(id(value))


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool | int | float):
        return json.dumps(key)
    inner = _plain(key)
    return inner if isinstance(inner, str) else described(key)


_ENCODER: Final = _strict_encoder(_plain)
