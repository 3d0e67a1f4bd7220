"""Subgraphs in a run that goes on where a slice ended or a crash cut it off: which of them go on, and which begin.

A call of a subgraph goes on exactly if this very call has stored a checkpoint; the checkpoint's id tells whose call it
was (`task_names.caller`). LangGraph does not ask:

- It tells every subgraph of such a run's first super-step that it is resumed. The latest checkpoint of a subgraph with
  a memory (`checkpointer=True`) may be that of another call: it would go on from where that one had ended, and never
  see its own input.
- It tells no subgraph that a graph without checkpoints (`checkpointer=False`) calls, because that graph begins anew.
  Those it calls find the checkpoints that they had (`task_names.CheckpointIds`), and would apply their input once more.
- It tells those that a node calls that is retried after an error (`RetryPolicy`) that they are resumed, too.
- It reads the latest checkpoint, also when this call stored one and another call of the same subgraph came after it.
- It begins a subgraph with the checkpoint that the run names of it (`checkpoint_map`), however far it came since.
- Subgraphs of a run that replays a checkpoint begin with the state that they had before it. That is known in the
  run's first slice only.
"""

import copy
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, cast

from langchain_core.runnables import RunnableConfig

# LangGraph has no public names for these.
from langgraph._internal._constants import (
    CONF,
    CONFIG_KEY_CHECKPOINT_MAP,
    CONFIG_KEY_REPLAY_STATE,
    CONFIG_KEY_RESUMING,
)
from langgraph.checkpoint.base import CheckpointTuple, get_checkpoint_id
from langgraph.pregel._loop import PregelLoop
from langgraph.types import Command

from langgraph_terms import Saver
from runs.execution import graph_input
from runs.execution.continuation import is_own
from runs.execution.job import Job
from runs.execution.task_names import caller, caller_of

#: The sources of checkpoints that were made from the one before; LangGraph replays them with what that one had.
_MADE_FROM_ANOTHER: Final = ("update", "fork")


@dataclass(slots=True)
class _Slice:
    #: An earlier slice has begun the run.
    is_resumed: bool
    #: LangGraph tells subgraphs of the first super-step whether they go on, as in a run that a caller resumes.
    is_told: bool
    #: It begins with the first super-step of a run that goes on from a checkpoint of another one, or that forked it.
    is_first: bool
    run_id: str
    #: The checkpoint of the run's own graph with which the slice began.
    began_with: str = ""
    #: The checkpoints of this run with which subgraphs began: in what they call, LangGraph decides no more.
    own: set[str] = field(default_factory=set)


_current: Final = ContextVar[_Slice | None]("slice", default=None)


@contextmanager
def going_on(job: Job, *, is_resumed: bool, is_continued: bool) -> Generator[None]:
    """A slice executes in the block: `is_resumed` if an earlier one began the run, `is_continued` if it committed."""
    is_first = graph_input.goes_on(job.kwargs) and not is_continued
    is_told = is_first and not (is_resumed and _replays(job))
    token = _current.set(_Slice(is_resumed, is_told, is_first, job.run_id))
    try:
        yield
    finally:
        _current.reset(token)


def may_go_on(place: Mapping[str, Any]) -> bool:
    """Whether an earlier slice may have begun a call of a subgraph."""
    current = _current.get()
    return current is not None and current.is_resumed and _root_at(place) == current.began_with


def recalling(saver: Saver, job: Job, passed: set[str]) -> Saver:
    """A copy of a checkpointer for a run that an earlier slice began; so are LangGraph's own copies of it.

    A call of a subgraph that asks for the latest checkpoint gets its own latest one, or else what it would have begun
    with. The ids of those after which other calls came are added to `passed`.
    """
    stored = _StoredCalls(job, passed)

    class Recalling(type(saver)):
        async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
            saved = await super().aget_tuple(config)
            place = config.get("configurable", {})
            call = caller(place)
            if call is None or saved is None:
                return saved
            if not get_checkpoint_id(config):
                return await stored.begins_with(call, config, saved, self)
            if not _is_named(place):
                return saved
            # The run names the checkpoint with which the call begins.
            latest = await super().aget_tuple(_addressed(config))
            return (latest and await stored.of_call(call, config, latest, self)) or saved

    copied = copy.copy(saver)
    copied.__class__ = Recalling
    return copied


class _StoredCalls:
    """What the calls of subgraphs had stored before a slice began."""

    def __init__(self, job: Job, passed: set[str]) -> None:
        self._job = job
        self._passed = passed
        #: The latest checkpoint of each call in the super-step with which the slice began, by namespace.
        self._latest: dict[str, dict[int, str]] = {}

    async def begins_with(
        self, call: int, config: RunnableConfig, latest: CheckpointTuple, saver: Saver
    ) -> CheckpointTuple | None:
        """The checkpoint that a call begins with, or goes on from; `latest` is that of its namespace."""
        if own := await self.of_call(call, config, latest, saver):
            return own
        is_replayed = _replays(self._job) and not is_own(self._job, latest)
        return await self._before_replay(config, saver) if is_replayed else latest

    async def of_call(
        self, call: int, config: RunnableConfig, latest: CheckpointTuple, saver: Saver
    ) -> CheckpointTuple | None:
        """The latest checkpoint of a call; `latest` is that of its namespace."""
        if not is_own(self._job, latest):
            return None
        if caller_of(latest) == call:
            return latest
        if (own := await self._own(call, config, latest, saver)) is None:
            return None
        self._passed.add(own)
        return await saver.aget_tuple(_addressed(config, own))

    async def _own(self, call: int, config: RunnableConfig, latest: CheckpointTuple, saver: Saver) -> str | None:
        place = config.get("configurable", {})
        namespace, root = place.get("checkpoint_ns", ""), _root_at(place)
        if _root_of(latest) != root:
            return None
        if namespace not in self._latest:
            calls = self._latest[namespace] = {}
            async for saved in saver.alist(_addressed(config)):
                if not is_own(self._job, saved) or _root_of(saved) != root:
                    break
                calls.setdefault(caller_of(saved), saved.checkpoint["id"])
        return self._latest[namespace].get(call)

    async def _before_replay(self, config: RunnableConfig, saver: Saver) -> CheckpointTuple | None:
        """What `ReplayState` of LangGraph reads when a namespace is first visited."""
        replayed = await saver.aget_tuple(self._job.config)
        if replayed is None:
            return None
        metadata = cast(Mapping[str, Any], replayed.metadata)
        is_made = metadata.get("source") in _MADE_FROM_ANOTHER and replayed.parent_config
        before = replayed.parent_config if is_made else replayed.config
        async for saved in saver.alist(_addressed(config), before=before, limit=1):
            return saved
        return None


def _replays(job: Job) -> bool:
    """Whether a run begins with what its thread had at a checkpoint, as LangGraph's time travel does."""
    given = graph_input.first_input(job.kwargs)
    answers = isinstance(given, Command) and given.resume is not None
    return bool(get_checkpoint_id(job.config)) and graph_input.goes_on(job.kwargs) and not answers


def _addressed(config: RunnableConfig, checkpoint_id: str | None = None) -> RunnableConfig:
    """The config of a checkpoint, or of the whole namespace, that `config` has."""
    given = cast(Mapping[str, Any], config.get("configurable", {}))
    namespace = {"thread_id": given["thread_id"], "checkpoint_ns": given.get("checkpoint_ns", "")}
    return {"configurable": namespace | ({"checkpoint_id": checkpoint_id} if checkpoint_id else {})}


def _around(place: Mapping[str, Any]) -> Mapping[str, str]:
    """The checkpoints of the graphs around a subgraph, and those that the run names, by namespace."""
    return place.get(CONFIG_KEY_CHECKPOINT_MAP, {})


def _is_named(place: Mapping[str, Any]) -> bool:
    """Whether the run names the checkpoint with which a subgraph begins."""
    return place.get("checkpoint_ns") in _around(place)


def _root_at(place: Mapping[str, Any]) -> str | None:
    """The checkpoint of the run's own graph in whose super-step a subgraph is called."""
    return _around(place).get("")


def _root_of(saved: CheckpointTuple) -> str | None:
    """The checkpoint of the run's own graph in whose super-step one of a subgraph was stored."""
    return cast(Mapping[str, Any], saved.metadata).get("parents", {}).get("")


def _first(loop: Any, **given: Any) -> Any:
    """A graph's loop begins."""
    current = _current.get()
    if current is None:
        return _begin(loop, **given)
    if loop.is_nested:
        _tell(loop, current)
        if loop.checkpoint_metadata.get("run_id") == current.run_id:
            current.own.add(loop.checkpoint["id"])
    begun = _begin(loop, **given)
    if not loop.is_nested:
        current.began_with = loop.checkpoint["id"]
        current.is_first |= loop.checkpoint_metadata.get("source") == "fork"
        if current.is_resumed:
            loop.config[CONF][CONFIG_KEY_REPLAY_STATE] = None  # `recalling` knows more
    return begun


def _tell(loop: Any, current: _Slice) -> None:
    """Tell a subgraph whether it goes on."""
    place = loop.config[CONF]
    if caller_of(loop) == caller(place):
        place[CONFIG_KEY_RESUMING] = True
        if loop.checkpoint_metadata.get("run_id") == current.run_id:
            loop._addressed = loop._addressed_checkpoint_superseded = False
    elif place.get(CONFIG_KEY_RESUMING) and not _is_told(place, current):
        place.pop(CONFIG_KEY_RESUMING)


def _is_told(place: Mapping[str, Any], current: _Slice) -> bool:
    """Whether a subgraph is called where an undisturbed run would go on from the checkpoints of other runs."""
    is_told = current.is_told or (current.is_first and _is_named(place))
    is_called_first = is_told and _root_at(place) == current.began_with
    return is_called_first and current.own.isdisjoint(place[CONFIG_KEY_CHECKPOINT_MAP].values())


_begin: Final = cast(Any, PregelLoop)._first
cast(Any, PregelLoop)._first = _first
