"""Which rows a caller may read and write, as a condition on their metadata.

Every function that reads or writes rows for a caller takes an `Access`, so a forgotten check cannot leak a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from compact_json import compact_json
from ports import SqlValue


@dataclass(frozen=True, slots=True)
class Access:
    """The rows whose metadata meets all these conditions; for the caller, other rows do not exist."""

    #: Each key must have exactly this value.
    equals: Mapping[str, Any]
    #: Each key must have a list that contains all these values.
    contains: Mapping[str, tuple[Any, ...]]
    #: Whether the system assistants, which have no owner, are included.
    with_system: bool = False
    #: Whether no row at all is included.
    is_nothing: bool = False

    def where(self, column: str = "metadata") -> tuple[str, tuple[SqlValue, ...]]:
        """An SQL condition to follow `AND`, and its parameters."""
        if self.is_nothing:
            return "0", ()
        clauses = ["1"]
        params: list[SqlValue] = []
        for key, value in self.equals.items():
            clauses.append(f"{column} -> ? = ?")
            params += [_path(key), compact_json(value)]
        for key, values in self.contains.items():
            clauses.append(f"json_type({column}, ?) = 'array'")
            params.append(_path(key))
            for value in values:
                clauses.append(f"EXISTS (SELECT 1 FROM json_each({column}, ?) WHERE value = ?)")
                params += [_path(key), value]
        condition = " AND ".join(clauses)
        if self.with_system:
            condition = f"({condition} OR {column} ->> '$.created_by' = 'system')"
        return condition, tuple(params)

    def admits(self, metadata: Mapping[str, Any]) -> bool:
        """Whether a row with this metadata, which is about to be written, would be within reach."""
        if self.is_nothing:
            return False
        return all(key in metadata and metadata[key] == value for key, value in self.equals.items()) and all(
            isinstance(found := metadata.get(key), list) and all(value in found for value in values)
            for key, values in self.contains.items()
        )


#: All rows: for servers without authentication, and for Superstep's own work.
EVERYTHING: Final = Access({}, {})

#: No rows: the access of a request before its permission has been checked.
NOTHING: Final = Access({}, {}, is_nothing=True)


def _path(key: str) -> str:
    return f'$."{key}"'
