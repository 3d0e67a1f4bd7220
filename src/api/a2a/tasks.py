"""A run as a task of A2A, independent of the version of the protocol."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from langgraph_sdk.schema import RunStatus

import ids
from tables.assistant_tasks import TaskRow
from wire.bodies import JsonObject
from wire.json_rpc import is_object

State: TypeAlias = Literal["submitted", "working", "input-required", "completed", "failed", "canceled"]

STATES: Final[Mapping[RunStatus, State]] = {
    "pending": "submitted",
    "running": "working",
    "success": "completed",
    "error": "failed",
    "timeout": "failed",
    "interrupted": "canceled",
}

#: How LangChain and LangGraph's clients name the roles in a conversation.
_ROLES: Final[Mapping[str, Literal["user", "agent"]]] = {
    "human": "user",
    "user": "user",
    "ai": "agent",
    "AIMessageChunk": "agent",
    "assistant": "agent",
    "tool": "agent",
    "ToolMessage": "agent",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A text, or JSON data when there is none."""

    text: str | None = None
    data: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of the conversation; `task_id` is None if it is unknown which task it belongs to."""

    role: Literal["user", "agent"]
    parts: Sequence[Part]
    message_id: str
    context_id: str
    task_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A result of a task."""

    artifact_id: str
    name: str
    description: str
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of a task, since when, and an explanation."""

    state: State
    timestamp: str
    message: Message | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A run, as a task."""

    task_id: str
    context_id: str
    status: Status
    history: Sequence[Message] = ()
    artifacts: Sequence[Artifact] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The state of a task's thread."""

    values: Any
    #: The interrupts that wait for an answer.
    interrupts: Sequence[JsonObject]
    #: The runs of the thread, oldest first, each with the id of the message that began it.
    turns: Sequence[tuple[str, str | None]]


def task_id(thread_id: str, run_id: str) -> str:
    """The id by which callers know a run."""
    return f"{thread_id}:{run_id}"


def task(row: TaskRow, context: Context, assistant_id: str) -> Task:
    """A run with its thread's conversation; callers shorten the history to what they show."""
    is_latest = bool(context.turns) and context.turns[-1][0] == row.run_id
    history = conversation(row.thread_id, context)
    asks = is_latest and row.status == "success" and bool(context.interrupts)
    state: State = "input-required" if asks else STATES[row.status]
    own = [message for message in history if message.task_id == task_id(row.thread_id, row.run_id)]
    values = context.values if is_latest else None
    artifacts = {
        "input-required": lambda: [_interrupt(row.run_id, context.interrupts)],
        "completed": lambda: response(row.run_id, assistant_id, own, values),
    }
    return Task(
        task_id=task_id(row.thread_id, row.run_id),
        context_id=row.thread_id,
        status=Status(state=state, timestamp=row.updated_at, message=_reason(row)),
        history=history,
        artifacts=artifacts[state]() if state in artifacts else [],
    )


def conversation(thread_id: str, context: Context) -> list[Message]:
    """The messages of a thread; each belongs to the task that the last message from a caller began."""
    begun = {message_id: task_id(thread_id, run_id) for run_id, message_id in context.turns if message_id}
    messages: list[Message] = []
    current: str | None = None
    for stored in _messages(context.values):
        current = begun.get(str(stored.get("id")), current)
        role = role_of(stored)
        if role and (parts := parts_of(stored)):
            message_id = str(stored.get("id") or f"{thread_id}:{len(messages)}")
            messages.append(
                Message(role=role, parts=parts, message_id=message_id, context_id=thread_id, task_id=current)
            )
    return messages


def role_of(stored: JsonObject) -> Literal["user", "agent"] | None:
    """The role of a message in a graph's state; None for messages that are not shown, above all system prompts."""
    return _ROLES.get(str(stored.get("type") or stored.get("role")))


def parts_of(stored: JsonObject) -> list[Part]:
    """The content of a message in a graph's state; empty for one that only calls tools."""
    text = _text(stored.get("content"))
    if stored.get("tool_call_id") is not None:
        result = {
            "toolCallId": stored["tool_call_id"],
            "content": text,
            "name": stored.get("name"),
            "status": stored.get("status"),
        }
        return [Part(data={"tool_results": [result]})]
    return [Part(text=text)] if text else []


def response(run_id: str, assistant_id: str, own: Sequence[Message], values: Any) -> list[Artifact]:
    """The artifacts of a run: the agent's last message in it, or the graph's values if there is none."""
    words = [part for message in own if message.role == "agent" for part in message.parts if part.text]
    if words:
        parts = [words[-1]]
    elif is_object(values):
        parts = [Part(data={name: value for name, value in values.items() if name != "__interrupt__"})]
    else:
        return []
    name, description = "Assistant Response", f"Response from assistant {assistant_id}"
    artifact_id = ids.derived(run_id, "artifact")
    return [Artifact(artifact_id=artifact_id, name=name, description=description, parts=parts)]


def _interrupt(run_id: str, interrupts: Sequence[JsonObject]) -> Artifact:
    asked = [{"id": interrupt.get("id"), "value": interrupt.get("value")} for interrupt in interrupts]
    return Artifact(
        artifact_id=ids.derived(run_id, "artifact"),
        name="Interrupt",
        description="Agent requires input to continue",
        parts=[Part(data=one) for one in asked],
    )


def _reason(row: TaskRow) -> Message | None:
    """Why a task failed."""
    error = json.loads(row.error) if row.error else None
    if not is_object(error):
        return None
    return Message(
        role="agent",
        parts=[Part(text=f"{error.get('error')}: {error.get('message')}")],
        message_id=row.run_id,
        context_id=row.thread_id,
        task_id=task_id(row.thread_id, row.run_id),
    )


def _messages(values: Any) -> list[JsonObject]:
    listed = values.get("messages") if is_object(values) else None
    return [message for message in listed if is_object(message)] if isinstance(listed, list) else []


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = [block for block in content if is_object(block)] if isinstance(content, list) else []
    return "".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")
