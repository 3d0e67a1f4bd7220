"""A thread whose object dies when D1 has stored the end of a run, and before the object knows."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from errors import DatabaseUnavailable
from ports import Database, Row, Statement
from tests.support.held_thread import Thread

T = TypeVar("T")


@dataclass
class Connection:
    """A database that commits the end of a run, and answers that when the test lets it."""

    database: Database
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    has_ended_run: asyncio.Event = field(default_factory=asyncio.Event)
    #: Whether the answer is lost instead.
    loses_answers: bool = False

    def __post_init__(self) -> None:
        self.answers.set()

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`."""
        results = await self.database.batch(statements)
        if any("INSERT INTO run_metrics" in statement.sql for statement in statements):
            self.has_ended_run.set()
            await self.answers.wait()
            if self.loses_answers:
                raise DatabaseUnavailable("Network connection lost")
        return results

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database.wait`."""
        return self.database.wait(call)


class EndingThread(Thread):
    """See above; `connection` is that of the present incarnation."""

    connection: Connection

    def open_database(self) -> Database:
        """See `ThreadObjectInMemory`."""
        self.connection = Connection(self.api.db)
        return self.connection
