"""The row of a new run: the request, merged with its assistant and its thread."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from langgraph_sdk.schema import CancelAction
from pydantic import ValidationError

import clock
import ids
import trace_context
from auth.principal import Principal
from compact_json import compact_json
from errors import Unprocessable
from tables.access import Access
from tables.assistants import Assistant
from tables.idempotency_keys import IdempotencyKey
from tables.runs import Run
from tables.threads import Ttl
from trace_context import TraceContext
from wire.bodies import JsonObject, explain
from wire.runs import RunCreate
from wire.thread_state import CheckpointRef

#: Keys of `config.configurable` with this prefix belong to LangGraph and to this server, not to callers.
RESERVED_PREFIX: Final = "__"

#: The key under which a run's configuration keeps the project that `langsmith_tracer` names.
LANGSMITH_PROJECT: Final = "__langsmith_project__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Creator:
    """Who creates a run, and which rows they may use for it."""

    #: The Worker version that takes the request.
    version: str
    principal: Principal
    threads: Access
    #: The assistants within reach; everybody may also use system assistants, which have no owner.
    assistants: Access
    request_id: str | None = None
    #: The trace that the caller has begun.
    trace: TraceContext | None = None
    #: The headers of the request that the graph may see.
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    #: The TTL of a thread that is created for the run and kept after it.
    thread_ttl: Ttl | None = None
    #: The key by which a retry finds the run.
    key: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a run depends on, as it was read before the run is created."""

    assistant: Assistant
    #: False for a system assistant that has not been used yet.
    assistant_is_stored: bool
    thread_metadata: JsonObject
    thread_config: JsonObject
    #: The request named no thread, so the run gets one of its own.
    is_stateless: bool
    #: How the thread's unfinished runs are asked to stop, if at all.
    stop: CancelAction | None
    creator: Creator


def new_run(request: RunCreate, surroundings: Surroundings, thread_id: str) -> Run:
    """The row of a run that is about to be created. Raises Unprocessable."""
    now, run_id = clock.now_iso(), ids.time_ordered()
    metadata = _metadata(request, surroundings)
    return Run(
        thread_id=thread_id,
        run_id=run_id,
        assistant_id=surroundings.assistant.assistant_id,
        status="pending",
        attempt=0,
        multitask_strategy=request.multitask_strategy or "enqueue",
        metadata=compact_json(metadata),
        kwargs=compact_json(_kwargs(request, surroundings, thread_id, run_id, metadata)),
        kwargs_parts=0,
        error=None,
        created_at=now,
        updated_at=now,
        due_at=clock.shifted(now, request.after_seconds) if request.after_seconds else None,
    )


def _metadata(request: RunCreate, surroundings: Surroundings) -> JsonObject:
    assistant = surroundings.assistant
    graph = {} if surroundings.is_stateless else {"graph_id": assistant.graph_id}
    return {
        **json.loads(assistant.metadata),
        **surroundings.thread_metadata,
        **graph,
        "assistant_id": assistant.assistant_id,
        **(request.metadata or {}),
    }


def _kwargs(
    request: RunCreate, surroundings: Surroundings, thread_id: str, run_id: str, metadata: JsonObject
) -> JsonObject:
    """What the run does, exactly as callers read it back."""
    durability = request.durability or ("exit" if request.checkpoint_during is False else "async")
    return {
        "input": request.input,
        "command": request.command and request.command.model_dump(exclude_unset=True),
        "config": {
            "configurable": {
                **_chosen_configurable(request, surroundings),
                **surroundings.creator.headers,
                **_server_configurable(request, surroundings, thread_id, run_id),
            },
            **_chosen_config(request, surroundings),
            "metadata": {**((request.config and request.config.metadata) or {}), **metadata},
        },
        "context": {**json.loads(surroundings.assistant.context), **_chosen_context(request)},
        "stream_mode": list(dict.fromkeys(request.stream_mode or ["values"])),
        "interrupt_before": request.interrupt_before,
        "interrupt_after": request.interrupt_after,
        "webhook": request.webhook,
        "feedback_keys": request.feedback_keys,
        "temporary": is_temporary(request, surroundings),
        "subgraphs": bool(request.stream_subgraphs),
        "resumable": bool(request.stream_resumable),
        "checkpoint_during": request.checkpoint_during is not False,
        "durability": durability,
    }


def is_temporary(request: RunCreate, surroundings: Surroundings) -> bool:
    """Whether the thread is deleted at the run's end: that of a stateless run, unless its caller wants to keep it.

    With an `Idempotency-Key` the thread is kept for retries, unless the caller explicitly wants it deleted.
    """
    keeps = ("keep", None) if surroundings.creator.key else ("keep",)
    return surroundings.is_stateless and request.on_completion not in keeps


def thread_ttl(request: RunCreate, surroundings: Surroundings) -> Ttl | None:
    """The TTL of a thread that is created for the run."""
    creator = surroundings.creator
    if is_temporary(request, surroundings):
        return None
    if surroundings.is_stateless and request.on_completion is None and creator.key:
        return Ttl(minutes=creator.key.lives_seconds / 60, strategy="delete")
    return creator.thread_ttl


def _chosen_context(request: RunCreate) -> JsonObject:
    """`context` and `config.configurable` mirror each other, so a caller gives only one of them."""
    return request.context or (request.config and request.config.configurable) or {}


def _chosen_configurable(request: RunCreate, surroundings: Surroundings) -> JsonObject:
    chosen = {**_assistant_config(surroundings).get("configurable", {}), **_chosen_context(request)}
    if request.checkpoint_id is not None:
        chosen["checkpoint_id"] = request.checkpoint_id
    if request.checkpoint is not None:
        chosen |= request.checkpoint.model_dump(exclude_none=True)
        chosen.setdefault("checkpoint_ns", "")
    _check_checkpoint(chosen)
    return {key: value for key, value in chosen.items() if not key.startswith(RESERVED_PREFIX)}


def _check_checkpoint(configurable: JsonObject) -> None:
    """Raise Unprocessable for malformed keys that name a checkpoint, because they reach the database."""
    try:
        CheckpointRef.model_validate({key: configurable.get(key) for key in CheckpointRef.model_fields})
    except ValidationError as error:
        raise Unprocessable(f"config.configurable.{explain(error)}") from error


def _server_configurable(request: RunCreate, surroundings: Surroundings, thread_id: str, run_id: str) -> dict[str, Any]:
    """The keys that a caller cannot choose, above all the thread's id."""
    principal = surroundings.creator.principal
    return {
        "langgraph_auth_user": principal.user,
        "langgraph_auth_user_id": principal.identity,
        "langgraph_auth_permissions": principal.permissions,
        "langgraph_request_id": surroundings.creator.request_id or ids.random_id(),
        "__request_start_time_ms__": clock.now_ms(),
        "__after_seconds__": request.after_seconds or 0,
        "run_id": run_id,
        "thread_id": thread_id,
        "graph_id": surroundings.assistant.graph_id,
        "assistant_id": surroundings.assistant.assistant_id,
        "user_id": principal.identity,
        **_tracing(request, surroundings.creator.trace),
        **({"__event_streaming_v2": True} if "lifecycle" in (request.stream_mode or ()) else {}),
    }


def _tracing(request: RunCreate, trace: TraceContext | None) -> dict[str, Any]:
    """The caller's wishes about traces."""
    given = request.langsmith_tracer
    return {
        **({trace_context.CONFIGURABLE: trace.headers(trace.parent_id)} if trace and trace.parent_id else {}),
        **({LANGSMITH_PROJECT: given.project_name} if given and given.project_name else {}),
    }


def _chosen_config(request: RunCreate, surroundings: Surroundings) -> JsonObject:
    """`tags` and `recursion_limit`: the caller's, or else the assistant's."""
    given = request.config.model_dump(include={"tags", "recursion_limit"}, exclude_none=True) if request.config else {}
    assistant = _assistant_config(surroundings)
    return {
        **{name: assistant[name] for name in ("tags", "recursion_limit") if name in assistant},
        **given,
    }


def thread_config(request: RunCreate, surroundings: Surroundings) -> JsonObject:
    """The configuration that the thread shows: that of its last run, without the parts that concern only that run."""
    earlier = surroundings.thread_config
    assistant = _assistant_config(surroundings)
    return {
        **earlier,
        **_chosen_config(request, surroundings),
        "configurable": {**earlier.get("configurable", {}), **assistant.get("configurable", {})},
    }


def _assistant_config(surroundings: Surroundings) -> JsonObject:
    return json.loads(surroundings.assistant.config)
