"""The filter of a store search as SQL conditions on an item's value.

`{"a": 1}` and `{"a": {"$gt": 1}}` compare a field, `{"a": {"b": 1}}` a field inside it. An item without the field does
not match, whatever the operator is.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias, cast

from compact_json import compact_json
from errors import BadRequest, Unprocessable

#: Each has up to four parameters. D1 takes 100 in one statement, and the other conditions need some.
MAX_CONDITIONS: Final = 20

_ORDER: Final[Mapping[str, str]] = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
OPERATORS: Final = ("$eq", "$ne", *_ORDER)

#: An SQL condition and its parameters.
Condition: TypeAlias = tuple[str, tuple[str, ...]]


def conditions(wanted: Mapping[str, Any]) -> list[Condition]:
    """Conditions to be joined by AND.

    Raises BadRequest for an unknown operator, Unprocessable for too many values or for a key that SQLite's paths cannot
    express.
    """
    found = [_condition(*comparison) for comparison in _comparisons(wanted, "$")]
    if len(found) > MAX_CONDITIONS:
        raise Unprocessable(f"A filter may compare at most {MAX_CONDITIONS} values, not {len(found)}")
    return found


def _comparisons(wanted: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, Any]]:
    """(path, operator, operand) of each comparison."""
    for key, value in wanted.items():
        if '"' in key or "\\" in key or not key.isprintable():
            raise Unprocessable(f"A filter's keys may not contain quotes, backslashes or control characters: {key!r}")
        inner = f'{path}."{key}"'
        if not isinstance(value, Mapping) or not value:
            yield inner, "$eq", value
            continue
        fields = cast(Mapping[str, Any], value)
        if any(name.startswith("$") for name in fields):
            yield from ((inner, operator, operand) for operator, operand in fields.items())
        else:
            yield from _comparisons(fields, inner)


def _condition(path: str, operator: str, operand: Any) -> Condition:
    if operator not in OPERATORS:
        raise BadRequest(f"Unsupported operator: {operator}; use one of {', '.join(OPERATORS)}")
    if operator == "$ne":
        equal, params = _condition(path, "$eq", operand)
        return f"(json_type(value, ?) IS NOT NULL AND NOT {equal})", (path, *params)
    params = (path, path, compact_json(operand))
    symbol = _ORDER.get(operator, "=")
    if isinstance(operand, int | float) and not isinstance(operand, bool):
        return f"(json_type(value, ?) IN ('integer', 'real') AND value ->> ? {symbol} (? ->> '$'))", params
    if isinstance(operand, str):
        return f"(json_type(value, ?) = 'text' AND value ->> ? {symbol} (? ->> '$'))", params
    if operator != "$eq":
        raise BadRequest(f"{operator} compares numbers and texts, not {compact_json(operand)}")
    return "(json_type(value, ?) IS NOT NULL AND value -> ? = ?)", params
