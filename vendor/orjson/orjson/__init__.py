"""The part of `orjson` that LangGraph's dependencies use, over the standard library.

orjson has no WebAssembly wheel on PyPI. Same calls, same bytes for what JSON can hold; slower, and nothing that runs
for each request may depend on it. Differences: numpy arrays need their `tolist`, and fragments are parsed.
"""

import dataclasses
import datetime
import enum
import json
import math
import uuid
from collections.abc import Callable
from typing import Any, Final

__all__ = [
    "OPT_APPEND_NEWLINE",
    "OPT_INDENT_2",
    "OPT_NAIVE_UTC",
    "OPT_NON_STR_KEYS",
    "OPT_OMIT_MICROSECONDS",
    "OPT_PASSTHROUGH_DATACLASS",
    "OPT_PASSTHROUGH_DATETIME",
    "OPT_PASSTHROUGH_SUBCLASS",
    "OPT_SERIALIZE_DATACLASS",
    "OPT_SERIALIZE_NUMPY",
    "OPT_SERIALIZE_UUID",
    "OPT_SORT_KEYS",
    "OPT_STRICT_INTEGER",
    "OPT_UTC_Z",
    "Fragment",
    "JSONDecodeError",
    "JSONEncodeError",
    "dumps",
    "loads",
]

__version__ = "3.13.0"

OPT_INDENT_2: Final = 1
OPT_NAIVE_UTC: Final = 1 << 1
OPT_NON_STR_KEYS: Final = 1 << 2
OPT_OMIT_MICROSECONDS: Final = 1 << 3
OPT_SERIALIZE_NUMPY: Final = 1 << 4
OPT_SORT_KEYS: Final = 1 << 5
OPT_STRICT_INTEGER: Final = 1 << 6
OPT_UTC_Z: Final = 1 << 7
OPT_PASSTHROUGH_SUBCLASS: Final = 1 << 8
OPT_PASSTHROUGH_DATETIME: Final = 1 << 9
OPT_APPEND_NEWLINE: Final = 1 << 10
OPT_PASSTHROUGH_DATACLASS: Final = 1 << 11
#: Always on, as in orjson since version 3.
OPT_SERIALIZE_DATACLASS: Final = 0
OPT_SERIALIZE_UUID: Final = 0

JSONDecodeError = json.JSONDecodeError
JSONEncodeError = TypeError

Default = Callable[[Any], Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Fragment:
    """JSON text to be included as it is."""

    contents: bytes | str


def dumps(obj: Any, /, default: Default | None = None, option: int | None = None) -> bytes:
    """Serialise to compact UTF-8 JSON; `default` is asked for what JSON has no form for."""
    options = option or 0
    prepared = _prepare(obj, default, options)
    try:
        text = json.dumps(
            prepared,
            ensure_ascii=False,
            separators=(",", ": ") if options & OPT_INDENT_2 else (",", ":"),
            indent=2 if options & OPT_INDENT_2 else None,
            sort_keys=bool(options & OPT_SORT_KEYS),
        )
        if options & OPT_APPEND_NEWLINE:
            text += "\n"
        return text.encode()
    except UnicodeEncodeError as error:
        raise JSONEncodeError("str is not valid UTF-8: surrogates not allowed") from error


def loads(text: bytes | bytearray | memoryview | str, /) -> Any:
    """Parse strict JSON (no NaN); any fault raises `JSONDecodeError`."""
    if not isinstance(text, str):
        try:
            text = bytes(text).decode()
        except UnicodeDecodeError as error:
            raise JSONDecodeError("str is not valid UTF-8: surrogates not allowed", "", 0) from error
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> Any:
    raise JSONDecodeError(f"unexpected {name}", name, 0)


def _prepare(value: Any, default: Default | None, options: int) -> Any:
    """The value in the types `json` knows, with orjson's rules for all others."""
    kind = type(value)
    if value is None or kind is str or kind is bool or kind is int:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if kind is dict:
        return {_key(key, options): _prepare(item, default, options) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [_prepare(item, default, options) for item in value]
    return _prepare_object(value, default, options)


def _prepare_object(value: Any, default: Default | None, options: int) -> Any:
    if isinstance(value, Fragment):
        return json.loads(value.contents)
    if isinstance(value, enum.Enum):
        return _prepare(value.value, default, options)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time) and not options & OPT_PASSTHROUGH_DATETIME:
        return _iso_text(value, options)
    if not options & OPT_PASSTHROUGH_SUBCLASS:
        for base, rebuild in ((str, str), (int, int), (dict, dict), (list, list)):
            if isinstance(value, base):
                return _prepare(base.__str__(value) if base is str else rebuild(value), default, options)
    if dataclasses.is_dataclass(value) and not isinstance(value, type) and not options & OPT_PASSTHROUGH_DATACLASS:
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if not f.name.startswith("_")}
        return _prepare(fields, default, options)
    if options & OPT_SERIALIZE_NUMPY and hasattr(value, "tolist"):
        return _prepare(value.tolist(), default, options)
    if default is None:
        raise JSONEncodeError(f"Type is not JSON serializable: {type(value).__name__}")
    return _prepare(default(value), default, options)


def _key(key: Any, options: int) -> str:
    if type(key) is str:
        return key
    if not options & OPT_NON_STR_KEYS:
        raise JSONEncodeError("Dict key must be str")
    if isinstance(key, enum.Enum):
        return _key(key.value, options)
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, bool | int | float):
        return json.dumps(key)
    if isinstance(key, uuid.UUID):
        return str(key)
    if isinstance(key, datetime.datetime | datetime.date | datetime.time):
        return _iso_text(key, options)
    raise JSONEncodeError(f"Dict key must a type serializable with OPT_NON_STR_KEYS: {type(key).__name__}")


def _iso_text(value: Any, options: int) -> str:
    if isinstance(value, datetime.datetime | datetime.time) and options & OPT_OMIT_MICROSECONDS:
        value = value.replace(microsecond=0)
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None and options & OPT_NAIVE_UTC:
            value = value.replace(tzinfo=datetime.UTC)
        text = value.isoformat()
        return text.removesuffix("+00:00") + "Z" if options & OPT_UTC_Z and text.endswith("+00:00") else text
    return value.isoformat()
