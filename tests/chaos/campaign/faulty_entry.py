"""The Worker's entry in a campaign: the production one, on bindings that fail as Cloudflare's do when told to.

`POST /chaos` takes `{"seed", "rates"}`: how often each kind of fault happens from now on, until the next call or the
death of the process. Each fault is a line `chaos: <kind>` of the log. `POST /chaos/reset/{thread_id}` resets the object
of a thread, as a deploy or trouble with its storage does, and nothing else: the interpreter lives on with all that it
has in memory. `GET /chaos/incarnations` says how many objects were made so far.
"""

import asyncio
import json
from contextlib import suppress
from random import Random
from typing import Any
from urllib.parse import urlsplit

import workers
from js import Error, console, queueMicrotask
from pyodide.ffi import JsException
from workers import Response

#: What D1 says, by its documentation and those who met it.
D1_ERRORS = (
    "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
    "D1_ERROR: Network connection lost.",
    "D1_ERROR: Internal error in D1 DB storage caused object to be reset.",
    "D1_ERROR: D1 DB reset because its code was updated.",
    "D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.",
)
D1_LOST = "D1_ERROR: Network connection lost."
#: After so long D1 is given up here, which is longer than it stalls.
D1_ANSWER_SECONDS = 5.0
#: How the Worker tells an object to reset itself, and what everybody hears who asked it for something.
RESET = "http://thread/chaos/reset"
RESET_REASON = "Durable Object reset because its code was updated."

D1_RESET = "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset."


class Faults:
    """What is to go wrong at the moment."""

    def __init__(self) -> None:
        self.rates: dict[str, float] = {}
        self.random = Random(0)

    def happens(self, kind: str) -> bool:
        """Whether this kind of fault happens now."""
        if self.random.random() >= self.rates.get(kind, 0.0):
            return False
        console.log(f"chaos: {kind}")
        return True

    def seconds(self) -> float:
        """For how long something is late."""
        return self.random.uniform(0.2, 4.0)


FAULTS = Faults()


class Database:
    """A D1 binding that refuses, stalls, loses answers, or never says anything."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def prepare(self, sql: str) -> Any:
        """Asks nobody."""
        return self._raw.prepare(sql)

    async def batch(self, statements: Any) -> Any:
        """One round trip."""
        if FAULTS.happens("D1 refuses a batch"):
            raise Error.new(FAULTS.random.choice(D1_ERRORS))
        if FAULTS.happens("D1 stalls"):
            await asyncio.sleep(FAULTS.seconds())
        if FAULTS.happens("D1 stalls and is reset"):
            await asyncio.sleep(FAULTS.seconds())
            raise Error.new(D1_RESET)
        if FAULTS.happens("D1 never answers"):
            if FAULTS.random.random() < 0.5:
                await self._raw.batch(statements)
            await asyncio.Event().wait()
        answers = await self._raw.batch(statements)
        if FAULTS.happens("D1 loses its answer"):
            raise Error.new(D1_LOST)
        return answers


class Queue:
    """A queue that loses, doubles and delays messages."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    async def sendBatch(self, messages: Any) -> None:  # noqa: N802 - the platform's name
        """Send messages."""
        if FAULTS.happens("a queue refuses messages"):
            raise Error.new("Queue sendBatch failed: Internal Server Error")
        if FAULTS.happens("a queue loses messages"):
            return
        if FAULTS.happens("a queue delays messages"):
            for message in messages:
                message.delaySeconds = round(FAULTS.seconds())
        await self._raw.sendBatch(messages)
        if FAULTS.happens("a queue doubles messages"):
            await self._raw.sendBatch(messages)


class Workflow:
    """A Workflow that does not always start."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    async def create(self, options: Any) -> Any:
        """Start an instance."""
        if FAULTS.happens("a Workflow does not start"):
            raise Error.new("(workflow.internal_error) Workflows is not available")
        return await self._raw.create(options)


class Bindings:
    """An `env` whose bindings are the faulty ones."""

    def __init__(self, env: Any) -> None:
        self._raw_env = env

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._raw_env, name)
        kind = {"DB": Database, "RUN_QUEUE": Queue, "WEBHOOK_QUEUE": Queue, "RUN_WORKFLOW": Workflow}.get(name)
        return kind(getattr(value, "_binding", value)) if kind else value


workers.env = Bindings(workers.env)

import entry  # noqa: E402 - everything below it takes its bindings from `workers.env`
from bindings import d1  # noqa: E402
from entry import RunWorkflow  # noqa: E402

d1.ANSWER_SECONDS = D1_ANSWER_SECONDS

__all__ = ["Default", "RunWorkflow", "ThreadObject"]


class ThreadObject(entry.ThreadObject):
    """A thread's object that is reset or not there, and whose alarm fires once too often, late, in vain, or not."""

    incarnations = 0

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, Bindings(env))
        ThreadObject.incarnations += 1

    async def fetch(self, request: Any) -> Any:
        """Streams and results."""
        if request.url == RESET:
            self._end()
        self._suffer("a call of an object fails")
        return await super().fetch(request)

    async def wake(self) -> None:
        """RPC of whoever has news."""
        self._suffer("a call of an object fails")
        await super().wake()

    async def run_slice(self, run_id: str, attempt: int) -> bool:
        """RPC of a Workflow."""
        self._suffer("a slice is refused")
        return await super().run_slice(run_id, attempt)

    async def alarm(self, info: Any = None) -> None:
        """The platform's promise is at least once, and six more times when it fails."""
        if FAULTS.happens("an alarm is late"):
            await asyncio.sleep(FAULTS.seconds())
        if FAULTS.happens("an alarm is lost"):
            return
        self._suffer("an alarm fails and fires again")
        if FAULTS.happens("an alarm fires twice"):
            await asyncio.gather(super().alarm(info), super().alarm(info))
        else:
            await super().alarm(info)

    def _suffer(self, failure: str) -> None:
        """Let the call fail, or the object be reset soon after it began, or both."""
        if FAULTS.happens("an object is reset"):
            asyncio.get_running_loop().call_later(FAULTS.seconds() / 4, self._end)
        if FAULTS.happens(failure):
            raise Error.new("Network connection lost.")

    def _end(self) -> None:
        """As the platform does: no Python is on the stack."""
        raw = self.ctx._ctx
        queueMicrotask(raw.abort.bind(raw, RESET_REASON))


class Default(entry.Default):
    """The Worker, and the campaign's way in."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.env = Bindings(self.env)

    async def fetch(self, request: Any) -> Any:
        """Answer an HTTP request."""
        path = urlsplit(request.url).path
        if path == "/chaos/incarnations":
            return Response(str(ThreadObject.incarnations))
        if path.startswith("/chaos/reset/"):
            with suppress(JsException):  # the object dies while it answers
                await self.env.THREADS._binding.getByName(path.rpartition("/")[2]).fetch(RESET)
            return Response("")
        if path != "/chaos":
            return await super().fetch(request)
        asked = json.loads(await request.text())
        FAULTS.rates, FAULTS.random = asked["rates"], Random(asked["seed"])
        return Response("")

    async def queue(self, batch: Any, env: Any = None, ctx: Any = None) -> None:
        """Deliver a batch of queue messages."""
        if FAULTS.happens("a batch of messages fails and comes again"):
            raise Error.new("the consumer's invocation was lost")
        await super().queue(batch, env, ctx)
        if FAULTS.happens("a batch of messages comes twice"):
            await super().queue(batch, env, ctx)
