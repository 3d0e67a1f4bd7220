"""What is told of tasks that are done: it waits until what they wrote is committed."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from runs.execution import streamed_items
from runs.execution.streamed_items import Item
from streaming.events import Delivery

#: Modes whose events no resumed run emits again; LangGraph must hand them over before it commits the super-step.
RECORD_MODES: Final = frozenset({"updates", "tasks", "debug"})


class TaskRecords:
    """The records of one slice, and the tasks that they are of."""

    def __init__(self, requested: Collection[str], *, gated: bool) -> None:
        self._gated = gated
        #: Whether records tell which task they are of; those of the streaming protocol tell of whole super-steps.
        self.name_tasks: Final = not RECORD_MODES.isdisjoint(requested) and "lifecycle" not in requested
        self._settles_tasks = gated and self.name_tasks
        #: What LangGraph streams last of what a task did.
        self._last_mode: Final = "debug" if "debug" in requested else "tasks"
        self._waiting: list[Item] = []
        #: The tasks of each graph's super-step that have begun and not finished, with their names.
        self._begun: defaultdict[str, dict[str, str]] = defaultdict(dict)
        #: The tasks that have finished, until what they wrote is stored; whether others of their super-step ran on.
        self._finished: dict[str, bool] = {}

    def note(self, namespace: str, mode: str, payload: Any) -> None:
        """One item of `astream`, before it is added."""
        if not self.name_tasks:
            return
        if mode == "tasks":
            self._note_task(namespace, payload)
        elif mode == "updates" and "__metadata__" in payload:
            self._note_cached(namespace, payload)
        if mode == self._last_mode and streamed_items.delivery(Item(namespace, mode, payload)) is Delivery.RECORD:
            ended = payload["payload"] if mode == "debug" else payload
            self._finished[ended["id"]] = bool(self._begun[namespace])

    def add(self, item: Item) -> None:
        """An item that waits."""
        self._waiting.append(replace(item, task=streamed_items.task_of(item)) if self._settles_tasks else item)

    def take(self, task_id: str | None = None) -> list[Item]:
        """What waits, or what of it a task did; it waits no longer."""
        taken = self._waiting if task_id is None else self.of(task_id)
        self._waiting = [] if task_id is None else [item for item in self._waiting if item.task != task_id]
        return taken

    def take_told(self) -> list[Item]:
        """What waits, but for updates of which only the next item tells whose they are."""
        is_half_told = self._settles_tasks and bool(self._waiting) and self._waiting[-1].comes_before_its_task
        last = [self._waiting.pop()] if is_half_told else []
        taken, self._waiting = self._waiting, last
        return taken

    def of(self, task_id: str) -> list[Item]:
        """What a task did, as far as it waits."""
        return [item for item in self._waiting if item.task == task_id]

    def has_finished(self, task_id: str) -> bool:
        """Whether all is here that is told of a task, and what it wrote is not stored."""
        return task_id in self._finished

    def is_ahead(self, namespace: str, task_id: str) -> bool:
        """Whether others of its super-step still run as what a finished task wrote is stored."""
        return self._finished.pop(task_id) and bool(self._begun[namespace])

    def end_superstep(self, namespace: str) -> None:
        """No task of it runs."""
        self._begun[namespace].clear()
        if not (self._gated or namespace):
            self._finished.clear()  # LangGraph stored nothing of them

    def _note_task(self, namespace: str, payload: Mapping[str, Any]) -> None:
        task_id = payload["id"]
        if "result" not in payload:
            self._begun[namespace][task_id] = payload["name"]
            return
        self._begun[namespace].pop(task_id, None)
        if streamed_items.is_error_handler(payload["name"]):
            return
        # Its updates come right before.
        last = self._waiting[-1] if self._waiting else None
        if last and (last.namespace, last.mode, last.task) == (namespace, "updates", ""):
            self._waiting[-1] = replace(last, task=task_id)

    def _note_cached(self, namespace: str, updates: Mapping[str, Any]) -> None:
        """A task that had finished before begins with its super-step, but does not run, and no result is told of it."""
        begun = self._begun[namespace]
        if cached := next((task_id for task_id, name in begun.items() if name in updates), None):
            del begun[cached]
