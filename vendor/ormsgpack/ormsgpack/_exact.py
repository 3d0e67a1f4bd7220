"""ormsgpack's rules in plain Python, for what the compiled packer cannot decide, and the pieces both paths share."""

import datetime as dt
import enum
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import msgpack

#: ormsgpack's own limits.
_MAX_DEPTH = 255
_MAX_DEFAULT_CALLS = 254

_SCALARS = (type(None), bool, int, float, bytes, bytearray, memoryview)
_SCALAR_KEYS = (type(None), bool, int, float, bytes, memoryview)


class Ext:
    """A MessagePack extension value: a tag from 0 to 127 and its bytes."""

    __slots__ = ("data", "tag")
    __hash__ = None  # type: ignore[assignment]  # never a dict key

    def __init__(self, tag: int, data: bytes) -> None:
        if not isinstance(data, bytes):
            raise TypeError(f"Ext data must be bytes, not {type(data).__name__}")
        self.tag = tag
        self.data = data

    def to_msgpack(self) -> msgpack.ExtType:
        """The same as `msgpack` spells it."""
        if not 0 <= self.tag <= 127:
            raise TypeError("Extension type out of range")
        return msgpack.ExtType(self.tag, self.data)


def call_default(default: Callable[[Any], Any] | None, obj: Any) -> Any:
    """What `default` makes of `obj`; whatever it raises becomes a TypeError that names the type."""
    if default is None:
        raise TypeError(_not_serializable(obj))
    try:
        return default(obj)
    except Exception as error:
        raise TypeError(_not_serializable(obj)) from error


def _not_serializable(obj: Any) -> str:
    return f"Type is not msgpack serializable: {type(obj).__name__}"


def dict_from_pairs(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """A dict whose array keys, at any depth, are tuples."""
    return {_frozen(key): value for key, value in pairs}


def _frozen(key: Any) -> Any:
    return tuple(_frozen(item) for item in key) if isinstance(key, list) else key


def encode(obj: Any, default: Callable[[Any], Any] | None) -> bytes:
    """`obj` as MessagePack."""
    encoder = _Encoder(default)
    encoder.value(obj, 0)
    return bytes(encoder.out)


class _Encoder:
    def __init__(self, default: Callable[[Any], Any] | None) -> None:
        self.out = bytearray()
        self._default = default
        self._packer = msgpack.Packer(strict_types=True)

    def value(self, obj: Any, depth: int) -> None:
        for _ in range(_MAX_DEFAULT_CALLS + 1):
            if self._known(obj, depth):
                return
            obj = call_default(self._default, obj)
        raise TypeError("Recursion limit for default hook reached")

    def _known(self, obj: Any, depth: int) -> bool:
        """Encode what needs no `default`; False for what does."""
        kind = type(obj)
        if kind in _SCALARS:
            self._scalar(obj)
        elif isinstance(obj, enum.Enum):
            return False
        elif isinstance(obj, str):
            self._text(obj)
        elif isinstance(obj, int):
            self._scalar(int.__int__(obj))
        elif isinstance(obj, dict):
            self._map(obj, depth + 1)
        elif isinstance(obj, list) or kind is tuple:
            self._array(obj, depth + 1)
        elif kind is Ext:
            extension = obj.to_msgpack()
            self.out += self._packer.pack_ext_type(extension.code, extension.data)
        else:
            return False
        return True

    def _key(self, key: Any, depth: int) -> None:
        kind = type(key)
        if isinstance(key, enum.Enum):
            self._key(key.value, depth)
        elif isinstance(key, str):
            self._scalar(_strict_text(key))
        elif kind is uuid.UUID:
            self._scalar(str(key))
        elif kind in (dt.datetime, dt.date):
            self._scalar(key.isoformat())
        elif kind is dt.time:
            if key.tzinfo is not None:
                raise TypeError("datetime.time must not have tzinfo set")
            self._scalar(key.isoformat())
        elif kind is tuple:
            self._key_array(key, depth + 1)
        elif kind in _SCALAR_KEYS:
            self._scalar(key)
        elif isinstance(key, int):
            self._scalar(int.__int__(key))
        else:
            raise TypeError("Dict key must a type serializable with OPT_NON_STR_KEYS")

    def _map(self, obj: dict[Any, Any], depth: int) -> None:
        _check_depth(depth)
        self.out += self._packer.pack_map_header(dict.__len__(obj))
        for key, value in dict.items(obj):
            self._key(key, depth)
            self.value(value, depth)

    def _array(self, obj: Any, depth: int) -> None:
        _check_depth(depth)
        items = list.copy(obj) if isinstance(obj, list) else obj
        self.out += self._packer.pack_array_header(len(items))
        for item in items:
            self.value(item, depth)

    def _key_array(self, key: tuple[Any, ...], depth: int) -> None:
        _check_depth(depth)
        self.out += self._packer.pack_array_header(len(key))
        for item in key:
            if type(item) is str:
                self._text(item)
            else:
                self._key(item, depth)

    def _text(self, text: str) -> None:
        """A value's text: lone surrogates become question marks."""
        exact = str.__str__(text)
        self._scalar(exact.encode("utf-8", "replace").decode("utf-8"))

    def _scalar(self, obj: Any) -> None:
        try:
            self.out += self._packer.pack(obj)
        except OverflowError as error:
            raise TypeError("Integer exceeds 64-bit range") from error


def _strict_text(key: str) -> str:
    exact = str.__str__(key)
    try:
        exact.encode("utf-8")
    except UnicodeEncodeError as error:
        raise TypeError("string contains surrogates") from error
    return exact


def _check_depth(depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise TypeError("Recursion limit reached")
