"""Group commit: statements submitted in one turn of the event loop, or during a batch, share the next batch.

A super-step's writes and its checkpoint come from different tasks within a few turns of the loop. Together they cost
one round trip and commit as one transaction.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from errors import DatabaseError, StaleAttempt
from ports import Database, Statement
from tables.run_fence import REFUSED

#: LangGraph submits a super-step's writes and its checkpoint as tasks that start within one turn of each other.
TURNS_TO_WAIT = 1

#: D1 documents no limit for a batch except 30 seconds. These limits keep a batch well below that, and below 32 MiB.
MAX_BATCH_STATEMENTS = 100
MAX_BATCH_CHARS = 8_000_000

#: With more waiting submissions, `room` makes the callers wait that do not await their own commit.
MAX_WAITING = 50


def fence(thread_id: str, run_id: str, attempt: int) -> Statement:
    """A statement that fails, and its batch with it, unless `attempt` is the run's current attempt."""
    return Statement(
        f"""
        SELECT CASE
            WHEN EXISTS (SELECT 1 FROM runs WHERE thread_id = ? AND run_id = ? AND attempt = ?) THEN 1
            ELSE json_extract('{{}}', {REFUSED})
        END
        """,
        (thread_id, run_id, attempt),
    )


@dataclass(frozen=True, slots=True)
class _Submission:
    statements: Sequence[Statement]
    chars: int
    committed: asyncio.Future[None]


class GroupCommit:
    """Commits statements in the order of submission; `guard`, if given, is the first statement of every batch.

    With `stops_on_failure`, nothing is committed after a batch that failed, because callers that do not await each
    commit rely on the order.
    """

    def __init__(self, database: Database, guard: Statement | None = None, *, stops_on_failure: bool = False) -> None:
        self._database = database
        self._guard = guard
        self._stops_on_failure = stops_on_failure
        self._failure: Exception | None = None
        self._waiting: list[_Submission] = []
        self._last: asyncio.Future[None] | None = None
        self._committing: asyncio.Task[None] | None = None

    async def commit(self, statements: Sequence[Statement]) -> None:
        """Return once these statements are committed, in one transaction if they fit into one batch.

        Otherwise they go into several batches, in order, so the statement that makes the others visible must be the
        last. Raises `DatabaseError`, or `StaleAttempt` if the guard refused. If the caller is cancelled, the statements
        are committed all the same.
        """
        await asyncio.shield(self.submit(statements))

    def submit(self, statements: Sequence[Statement]) -> "asyncio.Future[None]":
        """Submit without waiting; the future ends with the commit. Raises the failure that stopped earlier commits."""
        if self._failure is not None:
            raise self._failure
        chars = sum(_chars(statement) for statement in statements)
        submission = _Submission(statements, chars, asyncio.get_running_loop().create_future())
        self._waiting.append(submission)
        self._last = submission.committed
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_waiting())
        return submission.committed

    def fail(self, error: Exception) -> None:
        """Stop for good: every waiting and every later submission fails with this error."""
        self._failure = self._failure or error
        waiting, self._waiting = self._waiting, []
        for submission in waiting:
            submission.committed.set_exception(error)

    async def flush(self) -> None:
        """Return once everything submitted so far is committed; raises the failure that stopped it.

        What others submit meanwhile may take as long as it likes.
        """
        if self._last is not None and not self._last.done():
            await asyncio.wait([self._last])
        if self._failure is not None:
            if self._committing is not None:
                await asyncio.shield(self._committing)
            raise self._failure

    async def room(self) -> None:
        """If more is waiting than `MAX_WAITING` submissions, or than fits into one batch, wait for its commit."""
        if len(self._waiting) > MAX_WAITING or sum(waiting.chars for waiting in self._waiting) > MAX_BATCH_CHARS:
            await self.flush()

    async def _commit_waiting(self) -> None:
        try:
            for _ in range(TURNS_TO_WAIT):
                await asyncio.sleep(0)
            while self._waiting:
                group = _take_group(self._waiting)
                await self._commit_group(group)
        finally:
            self._committing = None

    async def _commit_group(self, group: list[_Submission]) -> None:
        try:
            for batch in _batches([statement for submission in group for statement in submission.statements]):
                await self._run(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers raise it; nobody awaits this task
            for submission in group:
                submission.committed.set_exception(error)
            if self._stops_on_failure:
                self.fail(error)
        else:
            for submission in group:
                submission.committed.set_result(None)
        finally:
            for submission in group:
                submission.committed.cancel()  # no effect on one that is done

    async def _run(self, batch: list[Statement]) -> None:
        guarded = [self._guard, *batch] if self._guard else batch
        try:
            await self._database.batch(guarded)
        except DatabaseError as error:
            if self._guard and REFUSED in str(error):
                raise StaleAttempt("a later attempt of this run has taken over; nothing was written") from error
            raise


def _take_group(waiting: list[_Submission]) -> list[_Submission]:
    """Remove as many submissions from the front as fit into one batch, but at least one."""
    count = 1
    statements, chars = _size(waiting[0])
    while count < len(waiting):
        more_statements, more_chars = _size(waiting[count])
        statements += more_statements
        chars += more_chars
        if statements > MAX_BATCH_STATEMENTS or chars > MAX_BATCH_CHARS:
            break
        count += 1
    group = waiting[:count]
    del waiting[:count]
    return group


def _size(submission: _Submission) -> tuple[int, int]:
    return len(submission.statements), submission.chars


def _batches(statements: Sequence[Statement]) -> Iterator[list[Statement]]:
    """The statements in order, divided into batches within the limits."""
    batch: list[Statement] = []
    chars = 0
    for statement in statements:
        size = _chars(statement)
        if batch and (len(batch) >= MAX_BATCH_STATEMENTS or chars + size > MAX_BATCH_CHARS):
            yield batch
            batch, chars = [], 0
        batch.append(statement)
        chars += size
    if batch:
        yield batch


def _chars(statement: Statement) -> int:
    return sum(len(param) for param in statement.params if isinstance(param, str | bytes))
