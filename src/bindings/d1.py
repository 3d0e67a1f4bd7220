"""D1 as `ports.Database`, over the raw binding, because the SDK's wrapper copies every row value by value.

Results cross the border once, as the JSON text that `JSON.stringify` makes of the whole answer. What else to know: D1
returns a BLOB as a list of integers, takes `null` but not `undefined` (which Python's None becomes), and reports errors
as text only.
"""

import json
import time
from collections.abc import Coroutine, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

from js import JSON
from pyodide.ffi import jsnull, run_sync, to_js
from workers import env

import d1_usage
from bindings.answers import answer
from errors import DatabaseError, Unavailable
from patient_database import PatientDatabase
from ports import Row, SqlValue, Statement

T = TypeVar("T")

#: How many prepared statements are kept.
MAX_PREPARED = 200

#: D1 ends every batch after 30 s. What takes longer was lost on its way, and nobody but us would ever say so.
ANSWER_SECONDS: Final = 40.0


@lru_cache(maxsize=1)
def database() -> "D1Database":
    """The Worker's database, one for each isolate: so a statement is prepared once, not once for each object."""
    return D1Database(env.DB)


@lru_cache(maxsize=1)
def patient_database() -> PatientDatabase:
    """The same for thread objects."""
    return PatientDatabase(database())


class D1Database:
    """One D1 binding."""

    def __init__(self, binding: Any) -> None:
        self._binding = getattr(binding, "_binding", binding)
        # Bounded, because searches have another text for each number of conditions.
        self._prepare = lru_cache(maxsize=MAX_PREPARED)(self._binding.prepare)

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`."""
        began = time.monotonic()
        try:
            answers = await answer(
                lambda: self._binding.batch(to_js([self._bind(statement) for statement in statements])),
                ANSWER_SECONDS,
                failed=f"D1 did not run a batch of {len(statements)}",
            )
        except Unavailable as error:
            raise DatabaseError.saying(str(error)) from error
        answered: list[dict[str, Any]] = json.loads(JSON.stringify(answers))
        d1_usage.count(
            rows_read=sum(result["meta"]["rows_read"] for result in answered),
            rows_written=sum(result["meta"]["rows_written"] for result in answered),
            seconds=time.monotonic() - began,
        )
        return [_rows(result["results"]) for result in answered]

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database.wait`: JavaScript Promise Integration puts the stack aside until D1 has answered."""
        return run_sync(call)

    def _bind(self, statement: Statement) -> Any:
        prepared = self._prepare(statement.sql)
        return prepared.bind(*map(_to_js_value, statement.params)) if statement.params else prepared


def _to_js_value(value: SqlValue) -> Any:
    if value is None:
        return jsnull
    return to_js(value) if isinstance(value, bytes) else value


def _rows(results: list[dict[str, Any]]) -> list[Row]:
    for row in results:
        for column, value in row.items():
            if isinstance(value, list):
                row[column] = bytes(value)
    return list(results)
