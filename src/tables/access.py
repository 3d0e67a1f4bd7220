"""Which rows a caller may touch, as a condition on their metadata.

Every function that reads or writes rows for a caller takes an `Access`, so a forgotten check cannot leak a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from compact_json import compact_json
from ports import SqlValue


@dataclass(frozen=True, slots=True)
class Access:
    """The rows whose metadata has all of these; a row that does not might as well not exist."""

    #: Each key must have exactly this value.
    equals: Mapping[str, Any]
    #: Each key must hold a list with all of these.
    contains: Mapping[str, tuple[Any, ...]]

    def where(self, column: str = "metadata") -> tuple[str, tuple[SqlValue, ...]]:
        """A condition to put behind `AND`, and its parameters."""
        clauses = ["1"]
        params: list[SqlValue] = []
        for key, value in self.equals.items():
            clauses.append(f"{column} -> ? = ?")
            params += [_path(key), compact_json(value)]
        for key, values in self.contains.items():
            for value in values:
                clauses.append(f"EXISTS (SELECT 1 FROM json_each({column}, ?) WHERE value = ?)")
                params += [_path(key), value]
        return " AND ".join(clauses), tuple(params)


#: All rows: what a server without authentication allows, and what Superstep itself works with.
EVERYTHING: Final = Access({}, {})


def _path(key: str) -> str:
    return f'$."{key}"'
