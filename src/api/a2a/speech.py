"""Tasks in the form of one version of A2A: 0.3 distinguishes objects by `kind`, 1.0 is the JSON of protocol buffers."""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from api.a2a.tasks import Artifact, Message, Part, Status, Task
from wire.bodies import JsonObject

Version: TypeAlias = Literal["0.3", "1.0"]

_ROLES: Final[Mapping[str, str]] = {"user": "ROLE_USER", "agent": "ROLE_AGENT"}


class Speech:
    """One version of the protocol."""

    def __init__(self, version: Version) -> None:
        self._is_1 = version == "1.0"

    def task(self, task: Task) -> JsonObject:
        """A task by itself."""
        return {
            **self._kind("task"),
            "id": task.task_id,
            "contextId": task.context_id,
            "status": self._status(task.status),
            "history": [self._message(message) for message in task.history],
            "artifacts": [self._artifact(artifact) for artifact in task.artifacts],
        }

    def sent(self, task: Task) -> JsonObject:
        """A task as the answer to a message, which might also have been a message."""
        return {"task": self.task(task)} if self._is_1 else self.task(task)

    def status_update(self, task_id: str, context_id: str, status: Status, *, is_final: bool) -> JsonObject:
        """A stream event: the status of a task has changed. The stream ends after the final one."""
        update: JsonObject = {"taskId": task_id, "contextId": context_id, "status": self._status(status)}
        if self._is_1:
            return {"statusUpdate": update}
        return {**update, "kind": "status-update", "final": is_final}

    def artifact_update(self, task_id: str, context_id: str, artifact: Artifact) -> JsonObject:
        """A stream event: a complete artifact of the task."""
        update: JsonObject = {"taskId": task_id, "contextId": context_id, "artifact": self._artifact(artifact)}
        update |= {"append": False, "lastChunk": True}
        return {"artifactUpdate": update} if self._is_1 else {**update, "kind": "artifact-update"}

    def _kind(self, kind: str) -> JsonObject:
        return {} if self._is_1 else {"kind": kind}

    def _status(self, status: Status) -> JsonObject:
        state = f"TASK_STATE_{status.state.upper().replace('-', '_')}" if self._is_1 else status.state
        told: JsonObject = {"state": state, "timestamp": status.timestamp}
        return {**told, "message": self._message(status.message)} if status.message else told

    def _message(self, message: Message) -> JsonObject:
        told: JsonObject = {
            **self._kind("message"),
            "role": _ROLES[message.role] if self._is_1 else message.role,
            "parts": [self._part(part) for part in message.parts],
            "messageId": message.message_id,
            "contextId": message.context_id,
        }
        return {**told, "taskId": message.task_id} if message.task_id else told

    def _artifact(self, artifact: Artifact) -> JsonObject:
        return {
            "artifactId": artifact.artifact_id,
            "name": artifact.name,
            "description": artifact.description,
            "parts": [self._part(part) for part in artifact.parts],
        }

    def _part(self, part: Part) -> JsonObject:
        if part.text is not None:
            return {**self._kind("text"), "text": part.text}
        data: Any = part.data
        return {**self._kind("data"), "data": data}
