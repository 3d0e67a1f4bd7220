"""The vendored ormsgpack against the native one: the same bytes, the same values, the same refusals."""

import collections
import dataclasses
import datetime as dt
import enum
import importlib
import importlib.util
import sys
import uuid
from pathlib import Path
from types import ModuleType
from typing import Any

import ormsgpack as native
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

VENDORED = Path(__file__).parents[2] / "vendor" / "ormsgpack" / "ormsgpack" / "__init__.py"

PACK = (
    native.OPT_NON_STR_KEYS
    | native.OPT_PASSTHROUGH_DATACLASS
    | native.OPT_PASSTHROUGH_DATETIME
    | native.OPT_PASSTHROUGH_ENUM
    | native.OPT_PASSTHROUGH_UUID
    | native.OPT_REPLACE_SURROGATES
)
UNPACK = native.OPT_NON_STR_KEYS


def load_vendored() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vendored_ormsgpack", VENDORED)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["vendored_ormsgpack"] = module
    spec.loader.exec_module(module)
    return module


ours = load_vendored()


class Colour(enum.Enum):
    RED = "red"
    NESTED = (1, "two")


class Level(enum.IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Items(list):
    def __iter__(self) -> Any:
        return iter(["overridden"])


class Mapping(dict):
    def items(self) -> Any:
        return [("overridden", 0)]


class Real(float):
    pass


Pair = collections.namedtuple("Pair", "left right")


@dataclasses.dataclass
class Point:
    x: int


@dataclasses.dataclass(frozen=True)
class FrozenPoint:
    x: int


def described(module: ModuleType) -> Any:
    """A `default` in the manner of LangGraph's: an Ext for known objects, text for others, an error for complex."""

    def default(obj: Any) -> Any:
        if isinstance(obj, complex):
            raise TypeError("no complex numbers")
        if isinstance(obj, set | frozenset | collections.deque | Pair):
            return module.Ext(0, module.packb(tuple(obj), default=default, option=PACK))
        return f"{type(obj).__name__}: {obj!r}"

    return default


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**65)
    | st.floats(allow_nan=True)
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
)
keys = st.recursive(
    scalars
    | st.uuids()
    | st.datetimes(timezones=st.none() | st.just(dt.UTC))
    | st.dates()
    | st.times()
    | st.sampled_from([*Colour, *Level, Text("t"), Whole(7), FrozenPoint(1), frozenset([1])]),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)
leaves = (
    scalars
    | keys
    | st.binary().map(bytearray)
    | st.binary().map(memoryview)
    | st.sampled_from([Real(1.5), Point(3), Pair(1, 2), {1}, collections.deque([1]), 1j, Text("\ud800"), Whole(2**70)])
)
documents = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.lists(inner, max_size=4).map(Items)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4).map(Mapping)
        | st.dictionaries(st.text(max_size=3), inner, max_size=4).map(collections.OrderedDict)
    ),
    max_leaves=20,
)


def packed(module: ModuleType, obj: Any) -> Any:
    try:
        return module.packb(obj, default=described(module), option=PACK)
    except module.MsgpackEncodeError:
        return "refused"


@given(documents)
def test_encodes_to_the_bytes_of_the_native_module_or_refuses_with_it(obj: Any) -> None:
    assert packed(ours, obj) == packed(native, obj)


def as_text(tag: int, data: bytes) -> Any:
    return f"{tag}:{data.hex()}"


@given(documents)
def test_decodes_to_the_values_of_the_native_module(obj: Any) -> None:
    encoded = packed(native, obj)
    if encoded != "refused":
        expected = native.unpackb(encoded, ext_hook=as_text, option=UNPACK)
        assert repr(ours.unpackb(encoded, ext_hook=as_text, option=UNPACK)) == repr(expected)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 255, 256, 65535, 65536])
@pytest.mark.parametrize(
    "build", [lambda n: "a" * n, lambda n: b"a" * n, lambda n: [None] * n, lambda n: dict.fromkeys(range(n))]
)
def test_headers_of_every_size_are_the_native_ones(build: Any, length: int) -> None:
    assert packed(ours, build(length)) == packed(native, build(length))


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 7, 8, 9, 16, 17, 255, 256, 65535, 65536])
def test_extensions_of_every_size_are_the_native_ones(length: int) -> None:
    data = b"x" * length
    assert ours.packb([ours.Ext(7, data)], option=PACK) == native.packb([native.Ext(7, data)], option=PACK)


@pytest.mark.parametrize("edge", [2**7, 2**8, 2**15, 2**16, 2**31, 2**32, 2**63, 2**64])
@pytest.mark.parametrize("offset", [-1, 0, 1])
@pytest.mark.parametrize("sign", [-1, 1])
def test_integers_at_every_edge_are_the_native_ones(edge: int, offset: int, sign: int) -> None:
    number = sign * (edge + offset)
    assert packed(ours, number) == packed(native, number)
    assert packed(ours, {number: number}) == packed(native, {number: number})


@pytest.mark.parametrize("depth", [1, 100, 255])
def test_nesting_that_the_native_module_takes_is_taken(depth: int) -> None:
    obj: Any = 1
    for _ in range(depth):
        obj = [obj]
    assert packed(ours, obj) == packed(native, obj)


@pytest.mark.parametrize("unusual", [1, uuid.UUID(int=1)])
def test_an_object_that_contains_itself_is_refused(unusual: Any) -> None:
    cycle: list[Any] = [unusual]
    cycle.append(cycle)
    assert packed(ours, cycle) == packed(native, cycle) == "refused"


def test_the_error_names_the_type_that_could_not_be_encoded() -> None:
    with pytest.raises(ours.MsgpackEncodeError, match="Type is not msgpack serializable: complex"):
        ours.packb([1j], default=described(ours), option=PACK)
    with pytest.raises(ours.MsgpackEncodeError, match="Type is not msgpack serializable: Point"):
        ours.packb([Point(1)], option=PACK)


def test_a_default_that_never_ends_is_refused() -> None:
    calls = 0

    def same(obj: Any) -> Any:
        nonlocal calls
        calls += 1
        return Point(calls)

    with pytest.raises(ours.MsgpackEncodeError, match="Recursion limit for default hook reached"):
        ours.packb(Point(0), default=same, option=PACK)


def test_the_error_classes_are_the_built_in_ones_as_in_the_native_module() -> None:
    assert (ours.MsgpackEncodeError, ours.MsgpackDecodeError) == (native.MsgpackEncodeError, native.MsgpackDecodeError)


def unpacked(module: ModuleType, data: Any, hook: Any = as_text) -> Any:
    try:
        return module.unpackb(data, ext_hook=hook, option=UNPACK)
    except module.MsgpackDecodeError:
        return "refused"


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\xc1", b"\x92\x01", b"\xa1\xff", b"\xa3\xed\xa0\x80", b"\x01\x02", b"\xc7\x02\x05a"),
        *("text", bytearray(b"\x01"), memoryview(b"\x01"), b"\xca\x3f\x80\x00\x00"),
        *(b"\x82\x01\x02\x01\x03", b"\x81\x92\x01\x91\x02\x03", b"\x81\x81\x01\x02\x03"),
    ],
)
def test_damaged_and_odd_input_reads_as_in_the_native_module(data: Any) -> None:
    assert unpacked(ours, data) == unpacked(native, data)


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), ValueError("x")])
def test_an_error_in_the_extension_hook_is_a_decode_error(error: Exception) -> None:
    def hook(tag: int, data: bytes) -> Any:
        raise error

    assert unpacked(ours, b"\xd4\x01a", hook) == unpacked(native, b"\xd4\x01a", hook) == "refused"


def test_an_extension_without_a_hook_is_a_decode_error() -> None:
    assert unpacked(ours, b"\xd4\x01a", None) == unpacked(native, b"\xd4\x01a", None) == "refused"


@pytest.mark.parametrize("option", [None, 0, native.OPT_SORT_KEYS, PACK | native.OPT_SERIALIZE_NUMPY])
def test_options_it_does_not_implement_are_refused_not_ignored(option: int | None) -> None:
    with pytest.raises(ours.MsgpackEncodeError, match="not available"):
        ours.packb({}, option=option)
    with pytest.raises(ours.MsgpackDecodeError, match="not available"):
        ours.unpackb(b"\x80", option=option)


def test_the_golden_bytes_are_those_of_the_native_module() -> None:
    """So that what the tests inside workerd compare with stays true; they cannot load the native module."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "workerd"))
    try:
        values, golden = importlib.import_module("golden_values"), importlib.import_module("golden_bytes")
    finally:
        sys.path.pop(0)
    serde = JsonPlusSerializer(allowed_msgpack_modules=values.CLASSES)
    assert {name: serde.dumps_typed(value)[1].hex() for name, value in values.VALUES.items()} == golden.BYTES
