"""The stored form of a namespace: a JSON array without its closing bracket.

So a prefix of labels is a prefix of the text, no label matches the beginning of a longer one, and one range of the
index is a whole subtree.
"""

import json
from collections.abc import Sequence
from typing import Final, TypeAlias

from compact_json import compact_json
from errors import Unprocessable

Namespace: TypeAlias = tuple[str, ...]

#: Each has one parameter. D1 takes 100 in one statement, and the other conditions need some.
MAX_MATCHED: Final = 80


def encode(labels: Sequence[str]) -> str:
    """The stored text."""
    return compact_json(list(labels))[:-1]


def decode(text: str) -> Namespace:
    """The labels of a stored text."""
    return tuple(json.loads(f"{text}]"))


def subtree(prefix: Sequence[str]) -> tuple[str, str]:
    """A subtree as a range: the first text that begins with these labels, and the first text after all of those."""
    first = encode(prefix)
    return first, first[:-1] + chr(ord(first[-1]) + 1)


def matching(prefix: Sequence[str], suffix: Sequence[str], column: str = "namespace") -> tuple[list[str], list[str]]:
    """Conditions that the column's labels begin with `prefix` and end with `suffix`, and their parameters.

    The label `*` matches any single label. Raises Unprocessable for more labels than a statement has room for.
    """
    if len(prefix) + len(suffix) > MAX_MATCHED:
        raise Unprocessable(f"A prefix and a suffix may have {MAX_MATCHED} labels together, not more")
    labels = f"({column} || ']')"
    clauses = [f"json_array_length{labels} >= {max(len(prefix), len(suffix))}"]
    params: list[str] = []
    places = [(str(index), label) for index, label in enumerate(prefix)]
    places += [(f"#-{len(suffix) - index}", label) for index, label in enumerate(suffix)]
    for place, label in places:
        if label != "*":
            clauses.append(f"{labels} ->> '$[{place}]' = ?")
            params.append(label)
    return clauses, params


def cut(depth: int | None, column: str = "namespace") -> str:
    """An expression for the first `depth` labels of the column."""
    if depth is None:
        return column
    labels = f"SELECT value FROM json_each({column} || ']') ORDER BY key LIMIT {depth}"
    return f"(SELECT rtrim(json_group_array(value), ']') FROM ({labels}))"
