"""The campaign's clients. Each is one user who creates runs, watches them, and comes back after being cut off.

They use the official SDK, and read some streams as raw bytes. They retry what a real client could: reads always, the
creation of a run only after checking whether it exists.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from random import Random
from typing import Any, Final, TypeVar, cast

import httpx
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIConnectionError, APIStatusError, ConflictError, NotFoundError
from langgraph_sdk.schema import Command, Run, StreamMode

from tests.chaos.campaign import sockets
from tests.chaos.campaign.history import Answered, Asked, Recorder, Shown, StopAsked, StreamEnded, ThreadDeleted, Told
from tests.support import sse_frames

T = TypeVar("T")

#: Their nodes are asynchronous, or not; a thread stays with one.
GRAPHS: Final = ("work", "blocking")
#: A run that has not ended by then, all crashes of a round included, is stuck.
PATIENCE_SECONDS: Final = 600
#: How often a client looks again.
LOOK_SECONDS: Final = 1.0
STREAM_MODES: Final[list[StreamMode]] = ["values", "updates"]


class Stuck(Exception):
    """What a client waits for does not come; the message says what."""


@dataclass(kw_only=True)
class World:
    """What all clients share."""

    sdk: LangGraphClient
    http: httpx.AsyncClient
    recorder: Recorder
    steps_url: str
    receiver_url: str
    #: Names of runs, unique in the campaign.
    numbers: "count[int]" = field(default_factory=count)


def is_away(error: Exception) -> bool:
    """Whether that is what a server says that is away; a 500 is that only when it is not the server's own."""
    if isinstance(error, APIConnectionError | httpx.TransportError):
        return True
    if not isinstance(error, httpx.HTTPStatusError):
        return False
    is_own = "json" in error.response.headers.get("content-type", "")
    return error.response.status_code in (502, 503, 504) or (error.response.status_code == 500 and not is_own)


async def insist(what: str, request: Callable[[], Awaitable[T]]) -> T:
    """Make a request that may be repeated until it is answered."""
    until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while True:
        try:
            return await request()
        except httpx.HTTPError as error:
            if not is_away(error):
                raise
            if asyncio.get_running_loop().time() > until:
                raise Stuck(f"{what}: {error!r}") from error
        await asyncio.sleep(LOOK_SECONDS / 2)


def log_of(values: object) -> list[str] | None:
    """The log in a thread's values; None when there is none, as before a first run's first step, or instead of it."""
    return cast(Any, values).get("log") if isinstance(values, dict) else None


class Client:
    """One user with one thread."""

    def __init__(self, world: World, random: Random, thread_id: str) -> None:
        self.world = world
        self._random = random
        self._runs = world.sdk.runs
        self._graph = random.choice(GRAPHS)
        self.thread_id = thread_id

    async def make_thread(self) -> None:
        """The thread must be there before runs can be."""
        await insist(
            f"creating thread {self.thread_id}",
            lambda: self.world.sdk.threads.create(thread_id=self.thread_id, if_exists="do_nothing"),
        )

    def work(self, *, steps: int | None = None, **more: Any) -> Asked:
        """A new run to ask for."""
        return Asked(
            at=self.world.recorder.now,
            name=f"run{next(self.world.numbers)}",
            thread_id=self.thread_id,
            steps=steps or self._random.randint(2, 6),
            keyed=self._random.random() < 0.5,
            calls=self._random.random() < 0.3,
            **more,
        )

    def _arguments(self, work: Asked) -> dict[str, Any]:
        given = {
            "url": self.world.steps_url,
            "run": work.name,
            "steps": work.steps,
            "asks_at": work.asks_at,
            "fails_at": work.fails_at,
            "log": [],
        }
        asked: dict[str, Any] = {"command": Command(resume="yes")} if work.answers else {"input": given}
        asked |= {"metadata": {"name": work.name}, "multitask_strategy": work.strategy}
        if work.keyed:
            asked["headers"] = {"idempotency-key": f"{work.thread_id}/{work.name}"}
        if work.calls:
            asked["webhook"] = self.world.receiver_url
        return asked

    async def create(self, work: Asked) -> str | None:
        """Ask for a background run; its id, or None when there is none."""
        self.world.recorder.take(work)
        try:
            run = await self._ask(work, self._runs.create)
        except httpx.HTTPError as error:
            return await self._unanswered(work, error)
        return self._accepted(work, run["run_id"])

    async def start(self, work: Asked) -> str:
        """Ask for a run by WebSocket, with a key until there is an answer; some users do not wait for the first one."""
        work = replace(work, keyed=True, calls=False)  # commands know no webhooks
        self.world.recorder.take(work)
        given = self._arguments(work)
        params = {"assistant_id": self._graph, "input": given["input"], "metadata": given["metadata"]}
        key = given["headers"]["idempotency-key"]

        async def request() -> str:
            leaves = self._random.random() < 0.3
            start = sockets.command(
                self.world.http, self.thread_id, "run.start", params=params, idempotency_key=key, leaves=leaves
            )
            return (await start)["run_id"]

        return self._accepted(work, await insist(f"starting {work.name}", request))

    async def _ask(self, work: Asked, create: Callable[..., Awaitable[T]]) -> T:
        """Ask for a run: once, or with a key until there is an answer."""
        request = partial(create, self.thread_id, self._graph, **self._arguments(work))
        return await (insist(f"creating {work.name}", request) if work.keyed else request())

    async def _unanswered(self, work: Asked, error: Exception) -> str | None:
        """What became of a run whose creation was not answered with a run: look."""
        if isinstance(error, ConflictError):
            self._answered(work, "refused")
            return None
        if not is_away(error):
            raise error
        self._answered(work, "lost")
        found = await self.find(work)
        return self._accepted(work, found["run_id"]) if found else None

    async def find(self, work: Asked) -> Run | None:
        """The run of that name, if there is one."""
        runs = await insist(f"listing the runs of {self.thread_id}", lambda: self._runs.list(self.thread_id, limit=100))
        return next((run for run in runs if cast(Any, run["metadata"]).get("name") == work.name), None)

    def _accepted(self, work: Asked, run_id: str) -> str:
        self._answered(work, "accepted", run_id)
        return run_id

    def _answered(self, work: Asked, answer: Any, run_id: str | None = None) -> None:
        recorder = self.world.recorder
        recorder.take(Answered(at=recorder.now, name=work.name, answer=answer, run_id=run_id))

    async def join(self, work: Asked, run_id: str) -> None:
        """Wait for the end of a run as a client that wants its result."""
        values = await insist(f"joining {work.name}", lambda: self._runs.join(self.thread_id, run_id))
        self._told(work, "join", log=log_of(values))

    async def ended(self, work: Asked, run_id: str) -> str:
        """Ask again and again until the run has ended; its status, or `gone`."""
        recorder = self.world.recorder
        until = recorder.now + PATIENCE_SECONDS
        while recorder.now < until:
            try:
                run = await insist(f"getting {work.name}", lambda: self._runs.get(self.thread_id, run_id))
            except NotFoundError:
                return "gone"
            if run["status"] not in ("pending", "running"):
                self._told(work, "get", status=run["status"])
                return run["status"]
            await asyncio.sleep(LOOK_SECONDS)
        raise Stuck(f"{work.name} ({run_id}) has not ended within {PATIENCE_SECONDS} s")

    async def wait(self, work: Asked) -> None:
        """Create a run and wait for its result in one request; if that is cut off, find the run and join it."""
        self.world.recorder.take(work)
        try:
            values = await self._ask(work, partial(self._runs.wait, raise_error=False))
        except httpx.HTTPError as error:
            if run_id := await self._unanswered(work, error):
                await self.join(work, run_id)
            return
        self._answered(work, "accepted")
        self._told(work, "wait", log=log_of(values))

    async def stream(self, work: Asked) -> None:
        """Create a run and watch all of it, over as many connections as it takes; some are dropped on purpose."""
        self.world.recorder.take(work)
        created: list[str] = []
        parts = self._runs.stream(
            self.thread_id,
            self._graph,
            stream_mode=STREAM_MODES,
            stream_resumable=True,
            on_run_created=lambda run: created.append(run["run_id"]),
            **self._arguments(work),
        )
        viewer = f"{work.name}/creator"
        last, _ = await self._watch(work, viewer, ((part.id or "", part.event, part.data) async for part in parts))
        if created:
            run_id = self._accepted(work, created[0])
        else:
            run_id = await self._unanswered(work, httpx.ReadError("the stream broke before the run had an id"))
        if run_id:
            await self.follow(work, run_id, viewer, last)

    async def follow(self, work: Asked, run_id: str, viewer: str, last: str = "-1") -> None:
        """Watch a run from an event on until it ends."""
        until = self.world.recorder.now + PATIENCE_SECONDS
        while self.world.recorder.now < until:
            # A connection that closes in good order may have been cut all the same, unless the run was over before.
            is_over = not await self._is_unfinished(work, run_id)
            if self._random.random() < 0.5:
                parts = self._runs.join_stream(self.thread_id, run_id, last_event_id=last)
                source = ((part.id or "", part.event, part.data) async for part in parts)
            else:
                source = self._frames(run_id, last)
            last, is_closed = await self._watch(work, viewer, source, last)
            if is_over and is_closed:
                recorder = self.world.recorder
                recorder.take(StreamEnded(at=recorder.now, name=work.name, viewer=viewer))
                return
            await asyncio.sleep(LOOK_SECONDS / 2)
        raise Stuck(f"the stream of {work.name} ({run_id}) has not ended within {PATIENCE_SECONDS} s")

    async def _is_unfinished(self, work: Asked, run_id: str) -> bool:
        run = await insist(f"getting {work.name}", lambda: self._runs.get(self.thread_id, run_id))
        return run["status"] in ("pending", "running")

    async def _frames(self, run_id: str, last: str) -> AsyncIterator[tuple[str, str, Any]]:
        path = f"/threads/{self.thread_id}/runs/{run_id}/stream"
        async with self.world.http.stream("GET", path, headers={"last-event-id": last}) as response:
            response.raise_for_status()
            async for frame in sse_frames.frames(response):
                yield frame.id or "", frame.event, frame.data

    async def _watch(
        self, work: Asked, viewer: str, source: AsyncIterator[tuple[str, str, Any]], last: str = "-1"
    ) -> tuple[str, bool]:
        """Record what one connection shows; the id to go on from, and whether the server closed it in good order."""
        patience = self._random.choice([1, 2, 4, 1000])
        try:
            async for id_, event, data in source:
                recorder = self.world.recorder
                recorder.take(Shown(at=recorder.now, name=work.name, viewer=viewer, id=id_, event=event, data=data))
                last = id_
                patience -= 1
                if patience == 0:
                    return last, False
        except httpx.HTTPError as error:
            if not is_away(error):
                raise
            return last, False
        finally:
            with suppress(httpx.HTTPError):  # the connection may be gone already
                await cast(Any, source).aclose()
        return last, True

    async def cancel(self, work: Asked, run_id: str, action: Any) -> None:
        """Ask a run to stop."""
        recorder = self.world.recorder
        recorder.take(StopAsked(at=recorder.now, name=work.name, action=action))
        with suppress(APIStatusError):  # it has ended already
            await insist(f"cancelling {work.name}", lambda: self._runs.cancel(self.thread_id, run_id, action=action))

    async def delete_thread(self) -> bool:
        """Delete the thread with all that is on it; False while it has runs to finish."""
        try:
            await insist(f"deleting {self.thread_id}", lambda: self.world.sdk.threads.delete(self.thread_id))
        except ConflictError:
            return False
        except NotFoundError:
            pass  # an earlier try did it
        recorder = self.world.recorder
        recorder.take(ThreadDeleted(at=recorder.now, thread_id=self.thread_id))
        return True

    def _told(self, work: Asked, source: Any, *, status: str | None = None, log: list[str] | None = None) -> None:
        recorder = self.world.recorder
        recorder.take(Told(at=recorder.now, name=work.name, source=source, status=status, log=log))

    async def pause(self, most: float = 1.0) -> None:
        """A user thinks."""
        await asyncio.sleep(self._random.uniform(0, most))
