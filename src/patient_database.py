"""D1 for callers who can wait: a batch that it does not answer is sent again until it does.

D1 is one object on one machine, which moves, restarts and is overloaded: for seconds as a rule, for minutes at times.
Runs need not notice. The price is that whatever a thread's object writes must come to the same when it is committed
twice (docs/decisions/0024-patience-with-d1.md).
"""

import asyncio
import logging
import random
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

import clock
from errors import DatabaseUnavailable
from ports import Database, Row, Statement

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: For how long a batch is sent again. With the alarm's and the slice's time before it, below an alarm's 15 minutes.
PATIENCE_SECONDS: Final = 480

#: Each pause is random, so that not all callers come back at once; the longest possible one doubles each time.
FIRST_PAUSE_SECONDS: Final = 0.25
MAX_PAUSE_SECONDS: Final = 8.0


class _Silence:
    """Logs that D1 is out of reach: once when that begins, and once when it ends."""

    def __init__(self) -> None:
        self._since_ms: int | None = None

    def begin(self, error: DatabaseUnavailable) -> None:
        """D1 did not answer a batch."""
        if self._since_ms is None:
            self._since_ms = clock.now_ms()
            logger.warning("D1 is out of reach, trying again: %s", error, extra={"event": "d1_retried"})

    def end(self) -> None:
        """D1 answered a batch."""
        if self._since_ms is not None:
            seconds = (clock.now_ms() - self._since_ms) / 1000
            logger.warning("D1 answers again after %.1f s", seconds, extra={"event": "d1_back"})
            self._since_ms = None


class PatientDatabase:
    """A `ports.Database` that outlasts `DatabaseUnavailable` for some seconds."""

    def __init__(self, database: Database, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._database = database
        self._patience_seconds = patience_seconds
        self._silence = _Silence()

    def within(self, seconds: float) -> "PatientDatabase":
        """The same database with other patience: for calls with somebody waiting."""
        brief = PatientDatabase(self._database, seconds)
        brief._silence = self._silence
        return brief

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """See `ports.Database.batch`; raises `DatabaseUnavailable` when its patience is exhausted."""
        until_ms = clock.now_ms() + self._patience_seconds * 1000
        longest = FIRST_PAUSE_SECONDS
        while True:
            try:
                results = await self._database.batch(statements)
            except DatabaseUnavailable as error:
                self._silence.begin(error)
                pause = random.uniform(longest / 2, longest)  # noqa: S311
                if clock.now_ms() + pause * 1000 > until_ms:
                    raise
            else:
                self._silence.end()
                return results
            await asyncio.sleep(pause)
            longest = min(longest * 2, MAX_PAUSE_SECONDS)

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """See `ports.Database.wait`."""
        return self._database.wait(call)
