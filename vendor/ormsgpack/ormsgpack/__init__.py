"""The part of `ormsgpack` that LangGraph's checkpoint serializer uses, over `msgpack`.

`ormsgpack` is Rust and has no WebAssembly wheel; `msgpack` has one. The bytes are those of ormsgpack 1.13, so that a
checkpoint written here loads in any other LangGraph deployment, and the other way round.

Encoding tries `msgpack`'s compiled packer first. It cannot tell a dict key from a value, and ormsgpack treats the two
differently (a UUID key is text, a UUID value goes to `default`), so the first hashable object of an unusual type sends
the whole call to `_exact`, which is plain Python. Known difference: the compiled packer follows 511 nested containers
where ormsgpack refuses the 256th; what it writes then is still readable by ormsgpack, which decodes 1022.
"""

from collections.abc import Callable
from typing import Any

import msgpack

from . import _exact  # noqa: TID252 - the tests load it under another name
from ._exact import Ext  # noqa: TID252

__all__ = [
    "OPT_NON_STR_KEYS",
    "OPT_PASSTHROUGH_DATACLASS",
    "OPT_PASSTHROUGH_DATETIME",
    "OPT_PASSTHROUGH_ENUM",
    "OPT_PASSTHROUGH_UUID",
    "OPT_REPLACE_SURROGATES",
    "Ext",
    "MsgpackDecodeError",
    "MsgpackEncodeError",
    "packb",
    "unpackb",
]

__version__ = "1.13.1+superstep"

# ormsgpack exports these two names for the built-in classes; code that catches TypeError relies on it.
MsgpackEncodeError = TypeError
MsgpackDecodeError = ValueError

OPT_NON_STR_KEYS = 2
OPT_PASSTHROUGH_DATACLASS = 16
OPT_PASSTHROUGH_DATETIME = 32
OPT_PASSTHROUGH_UUID = 4096
OPT_PASSTHROUGH_ENUM = 8192
OPT_REPLACE_SURROGATES = 32768

_PACK_OPTIONS = (
    OPT_NON_STR_KEYS
    | OPT_PASSTHROUGH_DATACLASS
    | OPT_PASSTHROUGH_DATETIME
    | OPT_PASSTHROUGH_UUID
    | OPT_PASSTHROUGH_ENUM
    | OPT_REPLACE_SURROGATES
)

#: The packer's default buffer is 256 KiB, and every nested object allocates a packer of its own.
_BUFFER_BYTES = 2048

_NATIVE = frozenset({type(None), bool, int, float, str, bytes, list, dict})


class _AmbiguousError(Exception):
    """The compiled packer met an object whose encoding depends on whether it is a dict key."""


def packb(obj: Any, /, default: Callable[[Any], Any] | None = None, option: int | None = None) -> bytes:
    """Encode `obj`; `default` turns what MessagePack does not know into what it does.

    `option` must be the set that the checkpoint serializer passes. Raises `MsgpackEncodeError`.
    """
    if option != _PACK_OPTIONS:
        raise MsgpackEncodeError(f"ormsgpack option {option!r} is not available in this build; only {_PACK_OPTIONS} is")
    try:
        return msgpack.Packer(default=_hook(default), strict_types=True, buf_size=_BUFFER_BYTES).pack(obj)
    except (_AmbiguousError, UnicodeEncodeError):
        return _exact.encode(obj, default)
    except OverflowError as error:
        raise MsgpackEncodeError("Integer exceeds 64-bit range") from error
    except ValueError as error:
        raise MsgpackEncodeError("Recursion limit reached") from error


def _hook(default: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    def hook(obj: Any) -> Any:
        kind = type(obj)
        if kind is tuple:
            return list(obj)
        if kind is Ext:
            return obj.to_msgpack()
        if kind is int:
            raise MsgpackEncodeError("Integer exceeds 64-bit range")
        if kind.__hash__ is not None:
            raise _AmbiguousError
        if isinstance(obj, dict):
            return dict(dict.items(obj))
        if isinstance(obj, list):
            return list.copy(obj)
        result = _exact.call_default(default, obj)
        if type(result) is Ext:
            return result.to_msgpack()
        if type(result) in _NATIVE:
            return result
        raise _AmbiguousError

    return hook


def unpackb(
    data: bytes | bytearray | memoryview,
    /,
    *,
    ext_hook: Callable[[int, bytes], Any] | None = None,
    option: int | None = None,
) -> Any:
    """Decode the first MessagePack object of `data`; `option` must be OPT_NON_STR_KEYS. Raises `MsgpackDecodeError`."""
    if option != OPT_NON_STR_KEYS:
        raise MsgpackDecodeError(
            f"ormsgpack option {option!r} is not available in this build; only {OPT_NON_STR_KEYS} is"
        )
    if not isinstance(data, bytes | bytearray | memoryview):
        raise MsgpackDecodeError("Input must be bytes, bytearray, memoryview")
    settings: dict[str, Any] = {"ext_hook": ext_hook or _no_ext_hook, "strict_map_key": False}
    try:
        return _unpack(data, settings)
    except TypeError:
        # A list as a dict key: ormsgpack reads it as a tuple.
        settings["object_pairs_hook"] = _exact.dict_from_pairs
    try:
        return _unpack(data, settings)
    except TypeError as error:
        raise MsgpackDecodeError(f"ext_hook failed: {error!r}") from error


def _unpack(data: bytes | bytearray | memoryview, settings: dict[str, Any]) -> Any:
    try:
        return msgpack.unpackb(data, **settings)
    except msgpack.ExtraData as extra:
        return extra.unpacked
    except (TypeError, ValueError):
        raise
    except Exception as error:
        raise MsgpackDecodeError(f"ext_hook failed: {error!r}") from error


def _no_ext_hook(tag: int, data: bytes) -> Any:  # noqa: ARG001
    raise MsgpackDecodeError("ext_hook missing")
