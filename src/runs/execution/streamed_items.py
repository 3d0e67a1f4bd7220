"""One item of `astream`, as an event: its name, its task, how it is delivered, and what it shows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from langgraph_terms import checkpoint_address
from streaming.events import Delivery


@dataclass(frozen=True, slots=True)
class Item:
    """One item in a mode that was asked for."""

    namespace: str
    mode: str
    payload: Any
    #: Of a task's result or updates: its id, where it is known.
    task: str = ""

    @property
    def comes_before_its_task(self) -> bool:
        """Whether these are updates, and the next item says of which task; of a cached one LangGraph never does."""
        if self.mode != "updates" or self.task or "__metadata__" in self.payload:
            return False
        return not any(is_error_handler(node) for node in self.payload)

    @property
    def is_debug_checkpoint(self) -> bool:
        """Whether it shows a checkpoint in the mode `debug`."""
        return self.mode == "debug" and self.payload["type"] == "checkpoint"


def name(mode: str, namespace: str) -> str:
    """The name of an event of the wire."""
    return f"{mode}|{namespace}" if namespace else mode


def is_error_handler(node: str) -> bool:
    """Whether LangGraph executes this node again in a super-step that is not over, even if its writes are stored."""
    return node.startswith(("__error_handler__", "__default_error_handler__"))


def task_of(item: Item) -> str:
    """The id of the task that the item itself names and that its writes settle; "" for any other item."""
    if item.mode not in ("tasks", "debug"):
        return ""
    task = item.payload["payload"] if item.mode == "debug" else item.payload
    return "" if is_error_handler(task["name"]) else task["id"]


def delivery(item: Item) -> Delivery:
    """When its event may be shown, and whether a resumed run shows it again."""
    match item.mode:
        case "values" | "checkpoints" | "input.requested":
            return Delivery.SNAPSHOT
        case "custom" | "tools":
            return Delivery.LIVE
        case "lifecycle":
            begins = item.payload.payload["event"] == "started"
        case "tasks":
            begins = "result" not in item.payload
        case "debug" if item.is_debug_checkpoint:
            return Delivery.SNAPSHOT
        case "debug":
            begins = item.payload["type"] == "task"
        case _:
            begins = False
    return Delivery.LIVE if begins else Delivery.RECORD


def shows_checkpoint(data: str) -> bool:
    """Whether an event of the mode `debug` shows a checkpoint."""
    return json.loads(data)["type"] == "checkpoint"


def identity(data: str) -> Any:
    """What makes two snapshots the same: a checkpoint's id, or the whole of the values."""
    snapshot = json.loads(data)
    if not isinstance(snapshot, dict):
        return snapshot
    inner = cast(dict[str, Any], snapshot)
    payload = inner.get("payload", inner) if inner.get("type") == "checkpoint" else inner
    try:
        return payload["config"]["configurable"]["checkpoint_id"]
    except (KeyError, TypeError):
        return inner


def debug_checkpoint(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint as `debug` shows it: checkpoints are addresses, where LangGraph has configs."""
    return {
        **payload,
        "checkpoint": checkpoint_address(payload.get("config")),
        "parent_checkpoint": checkpoint_address(payload.get("parent_config")),
        "tasks": [_debug_task(task) for task in payload["tasks"]],
    }


def _debug_task(task: Mapping[str, Any]) -> Mapping[str, Any]:
    state = task.get("state")
    if not isinstance(state, dict) or "configurable" not in state:
        return task
    others = {key: value for key, value in task.items() if key != "state"}
    return {**others, "checkpoint": cast(dict[str, Any], state)["configurable"]}
