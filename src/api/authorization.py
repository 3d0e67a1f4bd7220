"""Asks the gatekeeper about an operation in the terms of its handlers, and applies what they changed to the request.

The terms are those of `langgraph_sdk.auth.types`: most fields of a new run, for example, are in `value["kwargs"]`.
Handlers change them in place, and the operation uses the changed values.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final, TypeAlias
from uuid import UUID

from pydantic import BaseModel

import ids
from api.context import Call
from auth.gatekeeper import Event
from tables.access import EVERYTHING

AnyCall: TypeAlias = Call[Any, Any]

#: By key of a value (a dot leads into `kwargs`): the field of the body or query, and its default. A key is left out if
#: the operation does not have its field.
Fields: TypeAlias = Mapping[str, tuple[str, Any]]

_METADATA: Final[Fields] = {"metadata": ("metadata", {})}
_PAGE: Final[Fields] = {"limit": ("limit", 10), "offset": ("offset", 0)}
_CRON: Final[Fields] = {
    **_METADATA,
    "schedule": ("schedule", None),
    "end_time": ("end_time", None),
    "enabled": ("enabled", None),
    "on_run_completed": ("on_run_completed", None),
}

_FIELDS: Final[Mapping[Event, Fields]] = {
    "assistants.create": {
        **_METADATA,
        "graph_id": ("graph_id", None),
        "config": ("config", {}),
        "context": ("context", None),
        "name": ("name", "Untitled"),
        "if_exists": ("if_exists", "raise"),
    },
    "assistants.update": {
        **_METADATA,
        "graph_id": ("graph_id", None),
        "config": ("config", None),
        "context": ("context", None),
        "name": ("name", None),
        "version": ("version", None),
    },
    "assistants.search": {**_METADATA, **_PAGE, "graph_id": ("graph_id", None)},
    "threads.create": {**_METADATA, "if_exists": ("if_exists", "raise"), "ttl": ("ttl", None)},
    "threads.update": {**_METADATA, "action": ("action", "interrupt")},
    "threads.search": {**_METADATA, **_PAGE, "values": ("values", {}), "status": ("status", None)},
    "threads.create_run": {
        **_METADATA,
        "multitask_strategy": ("multitask_strategy", "enqueue"),
        "if_not_exists": ("if_not_exists", "reject"),
        "after_seconds": ("after_seconds", 0),
        "kwargs.input": ("input", None),
        "kwargs.command": ("command", None),
        "kwargs.config": ("config", {}),
        "kwargs.context": ("context", {}),
        "kwargs.stream_mode": ("stream_mode", None),
        "kwargs.interrupt_before": ("interrupt_before", None),
        "kwargs.interrupt_after": ("interrupt_after", None),
        "kwargs.webhook": ("webhook", None),
        "kwargs.feedback_keys": ("feedback_keys", None),
        "kwargs.subgraphs": ("stream_subgraphs", None),
        "kwargs.resumable": ("stream_resumable", None),
        "kwargs.checkpoint_during": ("checkpoint_during", None),
        "kwargs.durability": ("durability", None),
    },
    "crons.create": _CRON,
    "crons.update": _CRON,
    "crons.search": {
        **_METADATA,
        **_PAGE,
        "assistant_id": ("assistant_id", None),
        "thread_id": ("thread_id", None),
    },
}


#: For an event that creates something: the field of its id, and how an id is made if the caller chose none.
_NEW: Final[Mapping[Event, tuple[str, Callable[[], str]]]] = {
    "assistants.create": ("assistant_id", ids.random_id),
    "threads.create": ("thread_id", ids.time_ordered),
}


async def authorized(event: Event, call: AnyCall) -> AnyCall:
    """The call with the rows within its reach, and with the handlers' changes to its body and query."""
    if call.services.gatekeeper.is_open:
        return replace(call, access=EVERYTHING)  # a run's input, say, is not copied for nobody to look at
    if event in _NEW:
        call = _with_id(call, *_NEW[event])
    value = _value(event, call)
    access = await call.authorize(event, value)
    body, query = call.body, call.query
    if body and (changes := _changes(event, body, value)):
        # Validated again, because what a handler wrote reaches the database like a caller's input.
        body = type(body).model_validate(_given(body) | changes)
    if query and (changes := _changes(event, query, value)):
        query = query.model_copy(update=changes)
    return replace(call, access=access, body=body, query=query)


def _with_id(call: AnyCall, name: str, make: Callable[[], str]) -> AnyCall:
    given = getattr(call.body, name)
    return call if given is not None else replace(call, body=call.body.model_copy(update={name: make()}))


def _value(event: Event, call: AnyCall) -> dict[str, Any]:
    value = {name: _identifier(text) for name, text in call.path.items()}
    value |= _identifiers(event, call)
    for part in (call.body, call.query):
        given = _given(part)
        for key, (name, nothing) in _fields(event, part).items():
            found = given.get(name)
            _put(value, key, deepcopy(nothing) if found is None else found)
    return value


def _identifiers(event: Event, call: AnyCall) -> dict[str, Any]:
    """What a handler may want to know but cannot change."""
    match event:
        case "threads.create" | "assistants.create":
            name, _ = _NEW[event]
            return {name: _identifier(getattr(call.body, name))}
        case "threads.delete" if hasattr(call.body, "thread_ids"):
            return {"thread_ids": [UUID(thread_id) for thread_id in call.body.thread_ids]}
        case "threads.update" if hasattr(call.query, "action"):
            return _cancelled(call)
        case "threads.create_run":
            return {
                "thread_id": _identifier(call.path.get("thread_id")),
                "assistant_id": _assistant(call),
                "status": "pending",
                "prevent_insert_if_inflight": getattr(call.body, "multitask_strategy", None) == "reject",
            }
        case "crons.create":
            return {
                "thread_id": _identifier(call.path.get("thread_id")),
                "user_id": call.principal.identity,
                "payload": _given(call.body),
            }
        case "crons.update":
            return {"payload": _given(call.body)}
        case _:
            return {}


def _cancelled(call: AnyCall) -> dict[str, Any]:
    """The runs to stop: those of a path, of a body, or all with a status."""
    run_ids = [call.path["run_id"]] if "run_id" in call.path else getattr(call.body, "run_ids", None)
    return {
        "thread_id": _identifier(call.path.get("thread_id") or getattr(call.body, "thread_id", None)),
        "metadata": {"run_ids": run_ids and list(map(UUID, run_ids)), "status": getattr(call.body, "status", None)},
    }


def _assistant(call: AnyCall) -> UUID | str | None:
    name = getattr(call.body, "assistant_id", None)
    if name in call.services.registry.graph_ids():
        return UUID(ids.system_assistant(name))
    return _identifier(name)


def _changes(event: Event, part: BaseModel, value: dict[str, Any]) -> dict[str, Any]:
    """The fields of a body or query that a handler may have changed."""
    given = _given(part)
    found = {name: (_at(value, key), nothing) for key, (name, nothing) in _fields(event, part).items()}
    return {name: now for name, (now, nothing) in found.items() if name in given or now != nothing}


def _fields(event: Event, part: BaseModel | None) -> Fields:
    known = type(part).model_fields if part else {}
    return {key: entry for key, entry in _FIELDS.get(event, {}).items() if entry[0] in known}


def _given(part: BaseModel | None) -> dict[str, Any]:
    return part.model_dump(exclude_unset=True) if part else {}


def _identifier(text: str | None) -> UUID | str | None:
    canonical = ids.canonical(text) if text else None
    return UUID(canonical) if canonical else text


def _put(value: dict[str, Any], key: str, found: Any) -> None:
    outer, dot, inner = key.partition(".")
    if dot:
        value.setdefault(outer, {})[inner] = found
    else:
        value[outer] = found


def _at(value: dict[str, Any], key: str) -> Any:
    outer, dot, inner = key.partition(".")
    found = value.get(outer)
    return found.get(inner) if dot and isinstance(found, dict) else found
