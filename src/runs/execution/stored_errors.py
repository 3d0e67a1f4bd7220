"""The error of a node, as its error handler gets it when it is executed again: an exception of the same class.

LangGraph stores what `repr` says of it, and the name of the node that failed, which it never reads. Behind that name,
the class and what it holds are stored as well. The exception is made without executing any code of a graph.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from types import WrapperDescriptorType
from typing import Any, Final, cast

from langgraph._internal._constants import ERROR, ERROR_SOURCE_NODE  # LangGraph has no public names for these
from langgraph.pregel import _loop

#: LangGraph's own text of a longer one is all that is stored.
MAX_CHARS: Final = 100_000

_prepare: Final = cast(Any, _loop).prepare_node_error_handler_task


def described(writes: Sequence[tuple[str, Any]]) -> Sequence[tuple[str, Any]]:
    """What is stored of a task that failed; the writes of any other task as they are."""
    error = dict(writes).get(ERROR)
    if not isinstance(error, Exception):
        return writes
    return [(channel, _text(value, error) if channel == ERROR_SOURCE_NODE else value) for channel, value in writes]


def _text(node: str, error: Exception) -> str:
    """`[node, module, class, args, attributes]` as JSON; only the node if the error would not come back as it is."""
    try:
        cls, args, attributes = _parts(error)
        text = json.dumps([node, cls.__module__, cls.__qualname__, args, attributes])
        is_same = _is_json(list(args)) and _is_json(attributes) and _parts(_made(text)) == (cls, args, attributes)
    except Exception:  # noqa: BLE001 - what an error holds may fail in any way, and is not to fail the run as well
        return node
    return text if is_same and len(text) <= MAX_CHARS else node


def _made(text: str) -> Exception:
    """The exception, of a class in a module that is loaded; raises anything if there is none."""
    _, module, name, args, attributes = json.loads(text)
    cls: Any = sys.modules[module]
    for part in name.split("."):
        cls = vars(cls)[part]
    if not issubclass(cls, Exception):
        raise TypeError(name)
    native = _native(cls)
    error = native.__new__(cls, *args)
    native.__init__(error, *args)
    for attribute, value in attributes.items():
        object.__setattr__(error, attribute, value)
    return error


def _parts(error: Exception) -> tuple[type[Exception], tuple[Any, ...], dict[str, Any]]:
    """The class, the arguments, and the attributes that do not come of these; raises for a class with slots."""
    if any(vars(base).get("__slots__") for base in type(error).__mro__):
        raise TypeError("attributes in slots")
    cls, args, *attributes = _native(type(error)).__reduce__(error)
    return cls, args, dict(attributes[0]) if attributes else {}


def _is_json(value: Any) -> bool:
    """Whether a value comes back from JSON as what it is."""
    if type(value) is list:
        return all(_is_json(each) for each in cast(list[Any], value))
    if type(value) is dict:
        return all(type(key) is str and _is_json(each) for key, each in cast(dict[Any, Any], value).items())
    return value is None or type(value) in (bool, int, float, str)


def _native(cls: Any) -> Any:
    """The class itself, or the first of its bases, of which no method is written in Python."""
    return next(base for base in cls.__mro__ if type(vars(base).get("__init__")) is WrapperDescriptorType)


def _error(stored: str, task_id: str, pending_writes: Iterable[tuple[str, str, Any]]) -> Exception | str:
    for writer, channel, text in pending_writes:
        if (writer, channel) == (task_id, ERROR_SOURCE_NODE):
            try:
                return _made(text)
            except Exception:  # noqa: BLE001 - only the name of a node, or a class that is gone
                return stored
    return stored


def _prepare_handler(failed_task: Any, *, failed_error: Any, pending_writes: Any, **given: Any) -> Any:
    if isinstance(failed_error, str):
        failed_error = _error(failed_error, failed_task.id, pending_writes)
    return _prepare(failed_task, failed_error=failed_error, pending_writes=pending_writes, **given)


cast(Any, _loop).prepare_node_error_handler_task = _prepare_handler
