"""The storage of a Durable Object: its SQLite and its alarm."""

import json
from typing import Any

from js import JSON
from pyodide.ffi import JsException, jsnull

from errors import StorageUnavailable
from ports import Row, SqlValue


class DurableObjectStorage:
    """`ports.ObjectStorage` over `ctx.storage.sql`; parameters are text, numbers and null only."""

    def __init__(self, ctx: Any) -> None:
        self._storage = _raw_storage(ctx)
        self._sql = self._storage.sql
        self._rows_written = 0
        self._rows_confirmed = 0

    def execute(self, sql: str, *params: SqlValue) -> list[Row]:
        """See `ports.ObjectStorage.execute`."""
        try:
            cursor = self._sql.exec(sql, *(jsnull if param is None else param for param in params))
        except JsException as error:
            raise StorageUnavailable(f"the object's storage refused a statement: {error.message}") from error
        rows = json.loads(JSON.stringify(cursor.toArray()))
        self._rows_written += cursor.rowsWritten
        return rows

    async def confirmed(self) -> None:
        """See `ports.ObjectStorage.confirmed`."""
        written = self._rows_written
        if written == self._rows_confirmed:
            return
        try:
            await self._storage.sync()
        except JsException as error:
            raise StorageUnavailable(f"the object's storage lost what was written: {error.message}") from error
        self._rows_confirmed = max(self._rows_confirmed, written)


class DurableObjectAlarm:
    """`ports.Alarm` over `ctx.storage`."""

    def __init__(self, ctx: Any) -> None:
        self._storage = _raw_storage(ctx)

    async def set(self, at_ms: int) -> None:
        """See `ports.Alarm.set`."""
        await self._storage.setAlarm(at_ms)


def _raw_storage(ctx: Any) -> Any:
    return getattr(ctx, "_ctx", ctx).storage
