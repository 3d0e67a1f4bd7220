"""One Durable Object for each thread: it executes one run at a time and holds its live subscribers and its alarm.

This file only translates between Cloudflare and `runs/thread_object/` and `streaming/`. Work has to be done by the
alarm: what a request started is dropped some time after that request, whereas the platform waits for an alarm and fires
it again after a crash.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final

import js
import workers
from workers import DurableObject, Request

import clock
import deployment
import log_lines
from api import socket_commands
from bindings import process_environment, traces
from bindings.d1 import database, patient_database
from bindings.http import read_headers, stream_response, to_js_response
from bindings.object_storage import DurableObjectAlarm, DurableObjectStorage
from bindings.queues import dead_letter_queue, webhook_queue
from bindings.store import store
from bindings.web_sockets import HibernatingSocket, HibernatingSockets
from bindings.workflows import RunWorkflowBinding
from d1_cache import D1Cache
from graphs.deployed import REGISTRY, RELEASE
from http_messages import HttpResponse
from ports import Platform
from runs.execution import cpu_watch
from runs.execution.executor import Executor
from runs.execution.provided import Provided
from runs.thread_object import following, object_paths
from runs.thread_object.object_paths import FollowRequest, RunRequest
from runs.thread_object.thread_runner import ThreadRunner
from streaming import sse
from streaming.events import EventId
from streaming.fanout import From, RunStreams, Subscription
from streaming.protocol_sockets import Connection, ProtocolSockets

#: How often a waiting caller gets a line end, which JSON may begin with: it keeps the connection open.
KEEPALIVE_SECONDS: Final = 5.0

#: How long a call to the object waits for D1 before its caller is told that D1 is out of reach.
CALL_PATIENCE_SECONDS: Final = 3

#: Lets a coroutine go on after the response. `ctx.waitUntil` does not run Python coroutines in a Durable Object.
wait_until: Final[Any] = workers.wait_until

#: Why a run with `on_disconnect: cancel` was stopped.
DISCONNECTED: Final = "client disconnected from the run stream (on_disconnect=cancel)"

#: Compression would hold the line ends of `KEEPALIVE_SECONDS` back until the result is there.
UNCOMPRESSED: Final = {"content-encoding": "identity"}


class ThreadObject(DurableObject):
    """The object whose name is a thread id."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        cpu_watch.install()
        settings = process_environment.read_settings()
        self._thread_id: str = ctx.id.name
        self._streams = RunStreams(DurableObjectStorage(ctx), clock.now_ms)
        patient = patient_database()
        # The cache's database is an impatient one: a miss is cheaper than waiting for D1.
        provided = Provided(
            store=store(patient), open_cache=partial(D1Cache, database(), RELEASE), traces=traces.exporter()
        )
        self._runner = ThreadRunner(
            self._thread_id,
            platform=Platform(
                database=patient,
                brief_database=patient.within(CALL_PATIENCE_SECONDS),
                alarm=DurableObjectAlarm(ctx),
                workflows=RunWorkflowBinding(env.RUN_WORKFLOW),
                webhook_queue=webhook_queue(),
                dead_letter_queue=dead_letter_queue(),
                version=process_environment.worker_version(),
            ),
            streams=self._streams,
            executor=Executor(
                database=patient,
                registry=REGISTRY,
                settings=settings,
                provided=provided,
                reset=self._reset,
            ),
            settings=settings,
        )
        self._sockets = HibernatingSockets(ctx)
        self._protocol = ProtocolSockets(self._streams.log, lambda: self._sockets, self._carry_out)
        self._streams.log.on_change = self._protocol.flush

    def _reset(self) -> None:
        """End this object as a crash does.

        From a microtask, because ending it with Python on the stack breaks the interpreter, which serves other objects.
        """
        raw = self.ctx._ctx  # pyright: ignore[reportPrivateUsage] - the JavaScript object
        js.queueMicrotask(raw.abort.bind(raw, "a graph that was cancelled went on"))

    async def alarm(self, _info: Any = None) -> None:
        """Execute the thread's due runs."""
        with self._lines():
            await self._runner.ring()

    async def wake(self) -> None:
        """RPC: look at the thread's runs soon."""
        with self._lines():
            await self._runner.wake()

    async def run_slice(self, run_id: str, attempt: int) -> bool:
        """RPC from a Workflow: execute one slice, and say whether the run needs another."""
        with self._lines():
            return await self._runner.run_slice(run_id, attempt)

    def _lines(self) -> AbstractContextManager[None]:
        """Every log line of the block says which thread it is about."""
        return log_lines.about(thread_id=self._thread_id)

    async def state_updated(self, state: str) -> None:
        """RPC: tell the thread's followers that its state was changed without a run."""
        self._streams.state_updated(self._thread_id, state)

    async def fetch(self, request: Request) -> Any:
        """Streams and results, by the paths of `runs/thread_object/object_paths.py`."""
        with self._lines():
            return await self._answer(request)

    async def _answer(self, request: Request) -> Any:
        wanted = object_paths.parse(request.url)
        if isinstance(wanted, FollowRequest):
            return self._connect(request, wanted) if wanted.kind == "socket" else self._follow(wanted)
        # Followed from here on, so that whoever looks at the rows tells when the run is over.
        self._streams.open(wanted.run_id)
        try:
            if wanted.joins:
                await self._runner.recall(wanted.run_id)
            else:
                await self._runner.wake()
                # Begins without the alarm's delay. The alarm joins the work, and does it should this object die.
                wait_until(self._runner.work())
            return self._stream(wanted) if wanted.kind == "stream" else await self._result(wanted)
        finally:
            self._streams.close(wanted.run_id)

    def _stream(self, wanted: RunRequest) -> Any:
        subscription = self._streams.subscribe(wanted.run_id, _position(wanted), wanted.stream_modes)
        return _event_stream(subscription, object_paths.response_headers(wanted), lambda: self._client_left(wanted))

    def _follow(self, wanted: FollowRequest) -> Any:
        subscription = following.subscription(self._streams, wanted)
        return _event_stream(subscription, object_paths.response_headers(wanted))

    def _connect(self, request: Request, wanted: FollowRequest) -> Any:
        """Open a WebSocket of the streaming protocol; it outlives this incarnation of the object."""
        headers = socket_commands.handshake_headers(read_headers(request.js_object))
        handshake = {**json.loads(wanted.options), "headers": headers}
        connection = Connection(handshake=handshake, is_hidden=wanted.is_hidden)
        return self._sockets.accept(connection.text())

    async def webSocketMessage(self, socket: Any, message: Any) -> None:  # noqa: N802 - the platform's names
        """A client's command."""
        text = message if isinstance(message, str) else ""
        await self._protocol.message(HibernatingSocket(socket), text)

    async def webSocketClose(self, socket: Any, *_reason: Any) -> None:  # noqa: N802
        """A client left."""
        HibernatingSocket(socket).close()

    async def webSocketError(self, _socket: Any, _error: Any) -> None:  # noqa: N802
        """A connection broke: nothing is left to do."""

    async def _carry_out(self, handshake: Mapping[str, Any], command: str) -> tuple[bool, dict[str, Any]]:
        """Carry out a command that came by WebSocket: a request to the API like any other."""
        return await socket_commands.carry_out(
            deployment.services(deployment.gatekeeper()), self._thread_id, handshake, command
        )

    def _client_left(self, wanted: RunRequest) -> None:
        if wanted.cancel_on_disconnect:
            wait_until(self._runner.stop(wanted.run_id, DISCONNECTED))

    async def _result(self, wanted: RunRequest) -> Any:
        headers = object_paths.response_headers(wanted)
        result = asyncio.ensure_future(self._streams.result(wanted.run_id))
        if not wanted.cancel_on_disconnect:
            # Most runs are short, and a plain body costs less than a stream; only a stream notices a leaving client.
            await asyncio.wait({result}, timeout=KEEPALIVE_SECONDS)
            if wanted.kind == "delete":
                result.cancel()  # whether it has ended or not: its row says that it is to be deleted
                return to_js_response(HttpResponse(204))
            if result.done():
                return to_js_response(HttpResponse(200, headers, _shown(wanted, result)))
        chunks = _with_keepalive(wanted, result)

        def on_cancel() -> None:
            result.cancel()
            self._client_left(wanted)

        return stream_response(lambda: anext(chunks, None), on_cancel, headers | UNCOMPRESSED)


def _event_stream(
    subscription: Subscription, headers: Mapping[str, str], on_leave: Callable[[], None] = lambda: None
) -> Any:
    def on_cancel() -> None:
        subscription.close()
        on_leave()

    async def next_chunk() -> str | None:
        chunk = None
        try:
            chunk = await subscription.next_chunk()
        finally:
            if chunk is None:
                subscription.close()
        return chunk

    return stream_response(next_chunk, on_cancel, headers)


def _position(wanted: RunRequest) -> EventId | From:
    if not wanted.joins:
        return From.START
    if wanted.last_event_id is None:
        return From.NOW
    return sse.parse_last_event_id(wanted.last_event_id) or From.NOW


def _shown(wanted: RunRequest, result: "asyncio.Future[str]") -> str:
    return "{}" if wanted.kind == "cancel" else result.result()


async def _with_keepalive(wanted: RunRequest, result: "asyncio.Future[str]") -> AsyncIterator[str]:
    """The body for a caller who has waited once already: line ends until the result is there, then the result."""
    while not result.done():
        yield "\n"
        await asyncio.wait({result}, timeout=KEEPALIVE_SECONDS)
    yield _shown(wanted, result)
