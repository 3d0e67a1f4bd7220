"""Tells apart the calls of graphs that a task makes side by side: by what they are called with, not by their order.

LangGraph numbers the calls of a task as they begin, and a call's number ends its namespace. If the task is executed
again, the calls that were over are over at once, and those after them may begin in another order: each would go on from
what another one had stored. So a call gets the number that it had.

What a call is called with may differ whenever its task is executed, as a time does. Then there is only the order, which
is right as long as a task makes one call after the other.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any, Final, cast

from langchain_core.messages import BaseMessage

# LangGraph has no public names for these.
from langgraph._internal._config import patch_configurable
from langgraph._internal._constants import CONF, CONFIG_KEY_CHECKPOINT_NS, CONFIG_KEY_TASK_ID, NS_SEP
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.pregel._loop import AsyncPregelLoop

from runs.execution import own_checkpoints, remembering, task_names
from runs.execution.task_names import NAMED_CALL, NamedCall, caller_of

#: How many numbers are looked up at once.
_AT_ONCE: Final = 4

#: What is looked at, so that it costs the same for any state: items at either end of a sequence, levels, values.
_ENDS: Final = 4
_LEVELS: Final = 6
_VALUES: Final = 500


@dataclass(slots=True)
class Calls:
    """Those of one task."""

    #: Its part of their namespaces.
    namespace: str
    #: What earlier slices have stored of them: the call by its number.
    stored: dict[int, int] | None = None
    #: The numbers that this slice has given to calls.
    given: set[int] = field(default_factory=set)
    under_way: int = 0
    #: Whether one began before another was over.
    are_side_by_side: bool = False
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def begin(self, called_with: Any) -> int:
        """A call begins: 48 bits that name it, of which the last one says whether it began beside another one."""
        self.under_way += 1
        self.are_side_by_side |= self.under_way > 1
        hashed = hashlib.sha256(b"\0".join([self.namespace.encode(), *islice(_parts(called_with), _VALUES)]))
        return int.from_bytes(hashed.digest()[:6], "big") & ~1 | self.are_side_by_side

    def end(self) -> None:
        """A call is over."""
        self.under_way -= 1

    async def load(self, loop: Any, call: int, number: int) -> None:
        """Learn what earlier slices have stored of them; a call that is the first again needs to know of no other."""
        async with self.loading:
            if self.stored is None and (number or _own(await _latest(loop, self.namespace)) not in (None, call)):
                self.stored = dict([each async for each in _stored(loop, self.namespace)])

    def placed(self, call: int, number: int) -> tuple[int, int]:
        """A call's name and number, by what is stored of it; `number` is LangGraph's."""
        stored = self.stored or {}
        own = [each for each, other in stored.items() if other | 1 == call | 1 and each not in self.given]
        is_another = number in stored and any(other & 1 for other in stored.values())
        if own and number not in own:
            number = own[0]
        elif not own and (is_another or number in self.given):
            number = next(each for each in count() if each not in self.given and each not in stored)
        self.given.add(number)
        return stored.get(number, call), number


#: Those of a slice, by the part of their namespaces that is their task's.
_current: Final = ContextVar[dict[str, Calls] | None]("graph_calls", default=None)


@contextmanager
def told_apart() -> Generator[None]:
    """A slice executes in the block."""
    token = _current.set({})
    try:
        yield
    finally:
        _current.reset(token)


async def _enter(loop: Any) -> Any:
    """A graph's loop is about to read its checkpoint."""
    tasks, place = _current.get(), loop.config[CONF]
    # A graph with a memory has one namespace for all tasks.
    if tasks is None or not (own_checkpoints.are_noted(loop.checkpointer) and _is_of_its_task(place)):
        return await _begin(loop)
    namespace, number = _parted(place[CONFIG_KEY_CHECKPOINT_NS])
    calls = tasks.setdefault(namespace, Calls(namespace))
    call = calls.begin(([*loop.nodes], loop.input))
    loop.stack.callback(calls.end)
    try:
        if remembering.may_go_on(place):
            await calls.load(loop, call, number)
            call, number = calls.placed(call, number)
        _name(loop, _numbered(namespace, number), call)
        return await _begin(loop)
    except BaseException:
        calls.end()  # LangGraph does not leave a graph that could not begin
        raise


def _is_of_its_task(place: Mapping[str, Any]) -> bool:
    task_id = place.get(CONFIG_KEY_TASK_ID)
    return task_id is not None and task_id in place[CONFIG_KEY_CHECKPOINT_NS]


def _name(loop: Any, namespace: str, call: int) -> None:
    loop.checkpoint_ns = tuple(namespace.split(NS_SEP))
    changed = {CONFIG_KEY_CHECKPOINT_NS: namespace, NAMED_CALL: NamedCall(namespace, call)}
    for name in ("config", "checkpoint_config"):
        setattr(loop, name, patch_configurable(getattr(loop, name), changed))


def _parted(namespace: str) -> tuple[str, int]:
    """The part of a call's namespace that is its task's, and the call's number."""
    around, _, last = namespace.rpartition(NS_SEP)
    return (around, int(last)) if last.isdigit() else (namespace, 0)


def _numbered(namespace: str, number: int) -> str:
    return f"{namespace}{NS_SEP}{number}" if number else namespace


async def _stored(loop: Any, namespace: str) -> AsyncIterator[tuple[int, int]]:
    """The numbers of a task's calls of which this run has stored something, and the calls."""
    for first in count(step=_AT_ONCE):
        numbers = range(first, first + _AT_ONCE)
        found = await asyncio.gather(*(_latest(loop, _numbered(namespace, each)) for each in numbers))
        for number, saved in zip(numbers, found, strict=True):
            if (call := _own(saved)) is not None:
                yield number, call
        if not any(found):
            return


async def _latest(loop: Any, namespace: str) -> CheckpointTuple | None:
    place = {"thread_id": loop.config[CONF]["thread_id"], "checkpoint_ns": namespace}
    return await loop.checkpointer.aget_tuple({CONF: place})


def _own(saved: CheckpointTuple | None) -> int | None:
    """The call that stored a checkpoint, if it is one of this run."""
    is_own = saved is not None and cast(Any, saved.metadata).get("run_id") == task_names.run_at_work()
    return caller_of(saved) if is_own else None


def _parts(value: Any, level: int = 0) -> Iterator[bytes]:
    """What tells a value from others."""
    match value:
        case str():
            yield value.encode(errors="surrogatepass")
        case bytes() | bool() | int() | float() | None:
            yield repr(value).encode()
        case _ if level == _LEVELS:
            return
        case dict():
            for key, each in cast(dict[Any, Any], value).items():
                yield from _parts(key, level + 1)
                yield from _parts(each, level + 1)
        case list() | tuple():
            items = cast(Sequence[Any], value)
            yield str(len(items)).encode()
            for each in (*items[:_ENDS], *items[_ENDS:][-_ENDS:]):
                yield from _parts(each, level + 1)
        case _:
            yield type(value).__name__.encode()
            yield from _parts(_fields(value), level + 1)


def _fields(value: Any) -> dict[str, Any] | None:
    fields = getattr(value, "__dict__", None)
    if fields and isinstance(value, BaseMessage):
        return {**fields, "id": None}  # LangGraph gives random ones
    return fields


_begin: Final = AsyncPregelLoop.__aenter__
AsyncPregelLoop.__aenter__ = _enter  # type: ignore[method-assign]
