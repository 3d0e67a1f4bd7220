"""The part of a thread's values that a search sees if they are too large for their row: the short ones."""

import json
from collections.abc import Mapping
from typing import Any, Final, cast

from compact_json import compact_json

#: A longer JSON text is left out: nobody searches for a whole document.
MAX_LEAF_CHARS: Final = 1000
#: What exceeds this is left out as well. In UTF-8, these may be up to four times as many bytes.
MAX_OUTLINE_CHARS: Final = 250_000


def outline(values: str) -> str | None:
    """The object without its long values, as JSON text; None if `values` is not an object."""
    decoded = json.loads(values)
    return compact_json(_Outliner().object(cast(Mapping[str, Any], decoded))) if isinstance(decoded, dict) else None


class _Outliner:
    def __init__(self) -> None:
        self._room = MAX_OUTLINE_CHARS

    def object(self, values: Mapping[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, value in values.items():
            if isinstance(value, dict) and value:
                # An object of which nothing is left would look like an empty one.
                if inner := self.object(cast(Mapping[str, Any], value)):
                    kept[key] = inner
            elif self._takes(key, value):
                kept[key] = value
        return kept

    def _takes(self, key: str, value: Any) -> bool:
        size = len(compact_json(value))
        if size > MAX_LEAF_CHARS or len(key) + size > self._room:
            return False
        self._room -= len(key) + size
        return True
