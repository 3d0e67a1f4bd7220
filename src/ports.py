"""What Superstep needs from the platform, as protocols; `bindings/` implements them on Cloudflare.

Only Python values cross these borders. Any call may be the last thing that happens before a crash, so each docstring
says what is atomic.
"""

from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

T = TypeVar("T")

#: The types that a statement may bind: no bools (bind `int(x)`), no integers beyond 2**53 (bind text).
SqlValue: TypeAlias = str | int | float | bytes | None

#: One result row by column name: str, int, float, None, or bytes for a BLOB.
Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement with its `?` parameters; at most 100 of them (D1's limit)."""

    sql: str
    params: tuple[SqlValue, ...] = ()


class Database(Protocol):
    """A D1 database."""

    async def batch(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Run the statements as one transaction and one round trip; each one's rows (SELECT or RETURNING).

        All or nothing. After `errors.DatabaseError`, which has the database's own message, nothing was written. After
        `errors.DatabaseUnavailable` there was no answer in time, or it was lost: the batch may have been committed.
        """
        ...

    def wait(self, call: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine that uses the database to its end inside a synchronous call; other tasks go on meanwhile.

        Raises NotImplementedError where nothing can wait.
        """
        ...


class ObjectStorage(Protocol):
    """The SQLite database inside one Durable Object: synchronous, and kept for good a little later.

    Requests, answers and what a WebSocket sends wait for that. The chunks of a streamed body do not.
    """

    def execute(self, sql: str, *params: SqlValue) -> list[Row]:
        """Run one statement and return its rows. Consecutive calls without an `await` between them commit together.

        Raises `errors.StorageUnavailable`, for example if another incarnation has taken over.
        """
        ...

    async def confirmed(self) -> None:
        """Return once all that was written so far is kept, whatever dies then.

        Raises `errors.StorageUnavailable` when it will not be.
        """
        ...


class Alarm(Protocol):
    """The one alarm of a Durable Object: it fires at least once, even after crashes."""

    async def set(self, at_ms: int) -> None:
        """Set the alarm, replacing an earlier time; in milliseconds since 1970."""
        ...


class RunQueue(Protocol):
    """The queue that says "look at this run"."""

    async def send_batch(self, runs: Sequence[tuple[str, str]]) -> None:
        """Send one message for each (thread_id, run_id), any number.

        Each is delivered at least once, in any order, or (locally, on a crash) never. Raises `errors.Unavailable`.
        """
        ...


class WebhookQueue(Protocol):
    """The queue that says "send the webhook of this run"."""

    async def send_batch(self, run_ids: Sequence[str]) -> None:
        """Send one message for each run, any number; delivered as those of `RunQueue` are."""
        ...


class QueuedMessage(Protocol):
    """One delivery of a message. One that is neither acknowledged nor retried comes again."""

    @property
    def id(self) -> str:
        """The same in each delivery."""
        ...

    @property
    def body(self) -> Any:
        """What it says, as Python values; None for what cannot be read."""
        ...

    @property
    def attempts(self) -> int:
        """How often it was delivered, this time included."""
        ...

    def ack(self) -> None:
        """Never deliver it again."""
        ...

    def retry(self, delay_seconds: int) -> None:
        """Deliver it again, not earlier than that."""
        ...


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a receiver answered, as far as anybody reads it."""

    status: int
    retry_after: str | None = None


class HttpSender(Protocol):
    """HTTP requests from the Worker to receivers of webhooks and of spans."""

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> HttpAnswer:
        """POST `body`, following no redirect. Raises `errors.Unavailable` when there is no answer in time."""
        ...


class DnsResolver(Protocol):
    """The domain name system; the platform's `fetch` does not tell which address it has found."""

    async def query(self, name: str, kind: Literal["A", "AAAA"]) -> str:
        """What a resolver says about the addresses of a name, as `application/dns-json`.

        Raises `errors.Unavailable` when it says nothing.
        """
        ...


class ThreadObjects(Protocol):
    """The Durable Objects that execute runs, one for each thread, addressed by thread id.

    Any call may raise `errors.Unavailable`; `wake` and `state_updated` also when there is no answer in time.
    """

    async def wake(self, thread_id: str) -> None:
        """Ask the thread's object to look at its runs soon; returns when the object has set its alarm. Idempotent."""
        ...

    async def state_updated(self, thread_id: str, state: str) -> None:
        """Tell the thread's followers that its state was changed without a run; `state` is a thread state as JSON text.

        Call it after the change is committed. If it fails, followers miss this one event.
        """
        ...

    async def open(self, thread_id: str, path: str) -> object:
        """GET `path` on the thread's object; its answer as an opaque response to pass on untouched.

        `runs/thread_object/object_paths.py` builds and parses the paths.
        """
        ...

    def read(self, thread_id: str, path: str) -> AsyncGenerator[str]:
        """The body of the same answer, part by part as it arrives, for a caller that makes another answer of it."""
        ...

    async def connect(self, thread_id: str, path: str, headers: Mapping[str, str]) -> object:
        """Like `open`, for a client that asks for a WebSocket; `headers` are those of its request."""
        ...


class Workflows(Protocol):
    """The Workflow that drives a run which needs more than one slice."""

    async def start(self, thread_id: str, run_id: str, attempt: int) -> None:
        """Start instance `run-<run_id>-<attempt>`; the id makes a second start a no-op. Raises `errors.Unavailable`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What the object of one thread gets from the platform."""

    #: Waits for minutes while D1 is out of reach.
    database: Database
    #: The same database, waiting for seconds only: for calls with somebody waiting at the other end.
    brief_database: Database
    alarm: Alarm
    workflows: Workflows
    webhook_queue: WebhookQueue
    #: Where runs that gave up are announced.
    dead_letter_queue: RunQueue
    #: The id of the Worker version that runs here.
    version: str
