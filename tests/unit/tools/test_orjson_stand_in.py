"""The stand-in for orjson writes the same bytes as orjson itself, and refuses the same values."""

import dataclasses
import datetime
import enum
import importlib.util
import sys
import types
import uuid
from typing import Any

import orjson as native
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import paths


def load_stand_in() -> types.ModuleType:
    """The module of vendor/, beside the native one."""
    spec = importlib.util.spec_from_file_location("orjson_stand_in", paths.SHIMS / "orjson" / "orjson" / "__init__.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


stand_in: Any = load_stand_in()

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=True, allow_infinity=True, width=32).filter(
        lambda x: x == 0 or 1e-3 < abs(x) < 1e15 or x != x
    )
    | st.text()
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: float


class Text(str):
    __slots__ = ()


@given(VALUES)
def test_json_values_have_the_same_bytes(value: Any) -> None:
    try:
        expected = native.dumps(value)
    except native.JSONEncodeError:
        with pytest.raises(stand_in.JSONEncodeError):
            stand_in.dumps(value)
    else:
        assert stand_in.dumps(value) == expected
        assert stand_in.loads(expected) == native.loads(expected)


@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime(2026, 11, 21, 3, 4, 5, 678, tzinfo=datetime.UTC),
        datetime.datetime(2026, 11, 21),  # noqa: DTZ001 - naive on purpose
        datetime.date(2026, 11, 21),
        uuid.UUID(int=5),
        Color.RED,
        Point(1, 2.5),
        (1, 2),
        Text("x"),
        {"a": [Point(1, 2.0), None]},
    ],
)
def test_python_values_have_the_same_bytes(value: Any) -> None:
    assert stand_in.dumps(value) == native.dumps(value)


@pytest.mark.parametrize("name", ["OPT_NON_STR_KEYS", "OPT_SORT_KEYS", "OPT_INDENT_2", "OPT_APPEND_NEWLINE"])
def test_options_mean_the_same(name: str) -> None:
    value = {"b": 1, "a": [True, {}]} if name != "OPT_NON_STR_KEYS" else {1: 2, None: 3, 2.5: 4, uuid.UUID(int=1): 5}
    assert stand_in.dumps(value, option=getattr(stand_in, name)) == native.dumps(value, option=getattr(native, name))


def test_the_default_is_asked_for_other_types() -> None:
    assert stand_in.dumps({1}, default=list) == native.dumps({1}, default=list)


@pytest.mark.parametrize("value", [object(), {1: 2}, "\ud800"])
def test_the_same_values_are_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        native.dumps(value)
    with pytest.raises(TypeError):
        stand_in.dumps(value)


@pytest.mark.parametrize("text", [b"", b"{", b"NaN", b"\xff", "[1,]"])
def test_faulty_text_is_refused(text: Any) -> None:
    with pytest.raises(native.JSONDecodeError):
        native.loads(text)
    with pytest.raises(stand_in.JSONDecodeError):
        stand_in.loads(text)
