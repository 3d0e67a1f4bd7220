"""JSON containment as SQL conditions: `{"a": {"b": 1}}` matches rows whose column has 1 at `a.b`.

An object matches if each of its keys does; any other value must be equal. `->` gives the JSON text at a path, which can
be compared because both sides were written by `compact_json`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from compact_json import compact_json
from errors import Unprocessable

#: Each has two parameters. D1 takes 100 in one statement, which may have two filters and other conditions.
MAX_CONDITIONS: Final = 20


def conditions(**wanted: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """SQL conditions on the columns that `wanted` names, to be joined by AND, and their parameters.

    Raises Unprocessable for more than MAX_CONDITIONS values in all, or for a key that SQLite's paths cannot express.
    """
    leaves = [(column, *leaf) for column, values in wanted.items() for leaf in _leaves(values, "$")]
    if len(leaves) > MAX_CONDITIONS:
        raise Unprocessable(f"A filter may compare at most {MAX_CONDITIONS} values, not {len(leaves)}")
    return [f"{column} -> ? = ?" for column, _, _ in leaves], [text for _, *leaf in leaves for text in leaf]


def _leaves(wanted: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for key, value in wanted.items():
        if '"' in key or "\\" in key or not key.isprintable():
            raise Unprocessable(f"A filter's keys may not contain quotes, backslashes or control characters: {key!r}")
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f'{path}."{key}"')  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield f'{path}."{key}"', compact_json(value)
