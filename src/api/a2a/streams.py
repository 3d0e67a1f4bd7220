"""The events of a run as updates of its task: the agent's text as it grows, then the artifacts."""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from typing import Any

import clock
import ids
from api.a2a.speech import Speech
from api.a2a.tasks import Message, Status, Task, parts_of, role_of
from wire.bodies import JsonObject
from wire.json_rpc import is_object

Event = tuple[str, Any]


async def updates(
    speech: Speech,
    submitted: Task,
    events: AsyncIterable[Event | None],
    ended: Callable[[Any], Awaitable[Task]],
) -> AsyncGenerator[JsonObject | None]:
    """The events for a caller, beginning with the task as it was submitted; None while nothing happens.

    `ended` makes the task from the run's last values, once the run has ended.
    """
    task_id, context_id = submitted.task_id, submitted.context_id
    yield speech.sent(submitted)
    said: dict[str, JsonObject] = {}
    values: Any = None
    async for event in events:
        match event:
            case None:
                yield None
            case ("values", data):
                values = data
            case ("messages", [chunk, *_]) if is_object(chunk) and role_of(chunk) == "agent":
                parts = parts_of(_grown(said, chunk))
                if not parts:
                    continue
                message = Message(
                    role="agent", parts=parts, message_id=ids.random_id(), context_id=context_id, task_id=task_id
                )
                status = Status(state="working", timestamp=clock.now_iso(), message=message)
                yield speech.status_update(task_id, context_id, status, is_final=False)
            case _:
                pass
    task = await ended(values)
    for artifact in task.artifacts:
        yield speech.artifact_update(task_id, context_id, artifact)
    yield speech.status_update(task_id, context_id, task.status, is_final=True)


def _grown(said: dict[str, JsonObject], chunk: JsonObject) -> JsonObject:
    """The message of a chunk, with the chunk appended."""
    if chunk.get("type") != "AIMessageChunk" or not isinstance(chunk.get("content"), str):
        return chunk
    earlier = said.get(str(chunk.get("id")), {"content": ""})
    said[str(chunk.get("id"))] = grown = {**chunk, "content": earlier["content"] + chunk["content"]}
    return grown
