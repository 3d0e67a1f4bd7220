"""Makes `run_id:task_id` a token by which the world can tell that a task of a run is executed again.

LangGraph derives a task's id from the id of the checkpoint that its super-step begins with. A checkpoint that was not
stored when its run was cut off is made anew: with a random id, the tasks after it would be other tasks than those that
may have been at work already. And it tells the run's id to the tasks of the run's own graph only.

What is stored of a task says nothing without the checkpoint that it follows: so whoever stores it is told when that is.
"""

import asyncio
import hashlib
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias, cast
from uuid import UUID

# LangGraph has no public names for these.
from langgraph._internal._constants import CONFIG_KEY_CHECKPOINT_MAP, CONFIG_KEY_TASK_ID
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.base import id as uuids
from langgraph.pregel import _algo, _checkpoint
from langgraph.pregel._loop import PregelLoop
from langgraph.runtime import ExecutionInfo

#: A graph that is called with `invoke` has the latter.
AnyFuture: TypeAlias = "asyncio.Future[Any] | Future[Any]"

#: LangGraph counts steps from -2, that of no checkpoint at all.
_FIRST_STEP: Final = -2

#: The clock of these UUIDs counts 100 ns since 1582, as RFC 9562 says.
_TICKS_TO_1970: Final = 0x01B21DD213814000
_TICKS_PER_SECOND: Final = 10_000_000

#: Between two checkpoints of the run's own graph: less than a super-step takes, or ids would be ahead of the clock by
#: which a state is set by hand; and room for as many checkpoints of a subgraph.
_TICKS_PER_STEP: Final = 1000

#: As many as the clock sequence of a UUID can count.
_MOST_STEPS: Final = 0x3FFF


#: Where the `configurable` of a subgraph's config names its call (LangGraph shows nothing with this prefix).
NAMED_CALL: Final = "__pregel_named_call"


class NamedCall(NamedTuple):
    """The call of a subgraph; what the subgraph calls itself inherits it, but has another namespace."""

    namespace: str
    #: 48 bits.
    name: int


def caller(place: Mapping[str, Any]) -> int | None:
    """48 bits that name the call of a subgraph, from the `configurable` of its config; None for a graph of its own.

    Without a `NamedCall` they name the task that calls it and, as a part of the namespace, which of the task's calls it
    is.
    """
    if (task_id := place.get(CONFIG_KEY_TASK_ID)) is None:
        return None
    if (named := place.get(NAMED_CALL)) and named.namespace == place.get("checkpoint_ns"):
        return named.name
    call = f"{place.get('checkpoint_ns', '')} {task_id}"
    return int.from_bytes(hashlib.sha256(call.encode()).digest()[:6], "big")


def caller_of(saved: Any) -> int:
    """The `caller` in the id of a checkpoint (of a `CheckpointTuple` or `PregelLoop`); any number in others' ids."""
    return UUID(saved.checkpoint["id"]).node


def used_by(saved: Any) -> int:
    """The super-steps that a graph had made when it made a checkpoint, since it was called; at most 16,383."""
    return UUID(saved.checkpoint["id"]).clock_seq


class CheckpointIds:
    """Ids that sort by step, and after those of everything that was on the thread when the run began.

    Those of a subgraph come between the ids of the super-step of the run's own graph around it, as time travel expects.
    """

    def __init__(self, run_id: str, started_at: str) -> None:
        self._run_id = run_id
        self._node = UUID(run_id).int & 0xFFFFFFFFFFFF
        self._ticks = int(datetime.fromisoformat(started_at).timestamp() * _TICKS_PER_SECOND) + _TICKS_TO_1970
        #: The step that has the time above; None as long as nothing is known to be on the thread.
        self._step: int | None = None
        self._is_settled = False

    def follow(self, saved: CheckpointTuple) -> None:
        """Begin after the checkpoints of other runs, whoever's clock made them; or go on after one of this run."""
        if self._is_settled:
            return
        metadata = cast(Mapping[str, Any], saved.metadata)
        ticks, step = uuids.UUID(saved.checkpoint["id"]).time, metadata["step"]
        if metadata.get("run_id") == self._run_id:
            self._ticks, self._step, self._is_settled = ticks, step, True
        else:
            self._ticks = max(self._ticks, ticks + _TICKS_PER_STEP)
            self._step = step + 1 if self._step is None else min(self._step, step + 1)

    def of_step(self, step: int, used: int) -> uuids.UUID:
        """The id of a step's checkpoint in the run's own graph."""
        self._is_settled = True
        first = _FIRST_STEP if self._step is None else self._step
        return _id(self._ticks + (step - first) * _TICKS_PER_STEP, used, self._node)

    def of_call(self, call: int, earlier: Iterable[str], used: int) -> uuids.UUID:
        """The id of a checkpoint in a subgraph, after `earlier` ones; its `caller` is `call`.

        In a super-step that begins with another run's checkpoint it also comes after what earlier runs stored there.
        """
        times = (uuids.UUID(each).time for each in earlier)
        return _id(max(self._ticks - _TICKS_PER_STEP, *times) + 1, used, call)


def _id(ticks: int, used: int, node: int) -> uuids.UUID:
    number = (ticks >> 12) << 80 | (ticks & 0xFFF) << 64 | used << 48 | node
    return uuids.UUID(int=number, version=6)


@dataclass(frozen=True, slots=True)
class TaskNames:
    """What the tasks of a run are named by."""

    run_id: str
    thread_id: str
    #: None for LangGraph's own.
    checkpoint_ids: CheckpointIds | None
    #: The checkpoints that were made and are not given to the checkpointer yet, by their ids.
    storing: dict[str, asyncio.Event] = field(default_factory=dict)

    @contextmanager
    def given(self) -> Generator[None]:
        """Name the tasks that begin in the block, and in its own tasks."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def follow(self, saved: CheckpointTuple) -> None:
        """Learn from a checkpoint that the run has read what it begins with."""
        if self.checkpoint_ids and not saved.config.get("configurable", {}).get("checkpoint_ns"):
            self.checkpoint_ids.follow(saved)

    def made(self, checkpoint_id: str, storing: AnyFuture) -> None:
        """A checkpoint was made; say `passed_on` as the checkpointer gets it, which is before `storing` ends."""
        self.storing[checkpoint_id] = asyncio.Event()
        storing.add_done_callback(lambda _: self.passed_on(checkpoint_id))

    def passed_on(self, checkpoint_id: str) -> None:
        """Whatever the checkpointer gets from now on is stored after this checkpoint."""
        if waiting := self.storing.pop(checkpoint_id, None):
            waiting.set()

    async def passing(self, checkpoint_id: str) -> None:
        """Return once it is `passed_on`, or never will be."""
        if waiting := self.storing.get(checkpoint_id):
            await waiting.wait()


_current: Final = ContextVar[TaskNames | None]("task_names", default=None)
#: By step, those of the graph that makes a checkpoint just now.
_ids: Final = ContextVar[Callable[[int], UUID] | None]("checkpoint_ids", default=None)


def run_at_work() -> str | None:
    """The id of the run whose tasks are named here; None where no run executes."""
    names = _current.get()
    return names and names.run_id


def _put_checkpoint(loop: Any, metadata: Any) -> None:
    """A graph makes a checkpoint; one that a node runs on another thread has ids that sort by the clock."""
    names, place = _current.get(), loop.config["configurable"]
    if names is None:
        _put(loop, metadata)
        return
    is_own_thread = place.get("thread_id") == names.thread_id
    token = _ids.set(_ids_of(loop, names.checkpoint_ids if is_own_thread else None))
    try:
        _put(loop, metadata)
    finally:
        _ids.reset(token)
    storing = getattr(loop, "_put_checkpoint_fut", None)
    if is_own_thread and storing and not storing.done():
        names.made(loop.checkpoint["id"], storing)


def _ids_of(loop: Any, ids: CheckpointIds | None) -> Callable[[int], UUID]:
    place = loop.config["configurable"]
    call, used = caller(place), min(loop.step - loop.began_at + 1, _MOST_STEPS)
    if ids is None:
        return lambda _: uuids.uuid6(call, used)
    if call is None:
        return lambda step: ids.of_step(step, used)
    began_with = [loop.checkpoint["id"]] if loop.checkpoint_metadata["step"] > _FIRST_STEP else []
    return lambda _: ids.of_call(call, [place[CONFIG_KEY_CHECKPOINT_MAP][""], *began_with], used)


def _new_id(node: int | None = None, clock_seq: int | None = None) -> UUID:
    ids = _ids.get()
    return uuids.uuid6(node, clock_seq) if ids is None or clock_seq is None else ids(clock_seq)


def _execution_info(**fields: Any) -> ExecutionInfo:
    info, names = ExecutionInfo(**fields), _current.get()
    return info if names is None else info.patch(run_id=names.run_id)


# A checkpointer is given a checkpoint when tasks were named by it, so its id is chosen where LangGraph makes it.
assert _checkpoint.uuid6 is uuids.uuid6, "LangGraph makes the ids of checkpoints somewhere else now"
assert _algo.ExecutionInfo is ExecutionInfo, "LangGraph tells tasks about themselves somewhere else now"
_put: Final = cast(Any, PregelLoop)._put_checkpoint
cast(Any, PregelLoop)._put_checkpoint = _put_checkpoint
cast(Any, _checkpoint).uuid6 = _new_id
cast(Any, _algo).ExecutionInfo = _execution_info
