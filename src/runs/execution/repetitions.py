"""What LangGraph streams once more when it goes on from a checkpoint, and what of it the stream shows already."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from runs.execution import streamed_items
from runs.execution.streamed_items import Item
from streaming.run_stream import RunStream


class Repetitions:
    """Those of one slice of a run; none unless it is `resumed`.

    `goes_on`: the run began with a checkpoint of another one, and so may its subgraphs; `updates`: and changed it.
    """

    def __init__(self, stream: RunStream, *, resumed: bool, goes_on: bool, updates: bool) -> None:
        self._stream = stream
        self._resumed = resumed
        self._goes_on = goes_on
        self._is_updated = updates
        #: The checkpoints, by id, of calls that go on although others of the same subgraph came after them.
        self.passed: set[str] = set()
        #: The graphs that have ended; one with a memory begins again, for another call.
        self._ended: set[str] = set()
        #: The super-step after the first checkpoint of each graph.
        self._first_step: dict[str, int] = {}
        #: How many updates of which nodes come again although they are shown.
        self._updates: dict[str, Counter[str]] = {}
        #: The values with which graphs began; None when they are taken back.
        self._values: dict[str, Item | None] = {}
        self._snapshots: set[str] = set()

    def note_checkpoint(self, namespace: str, next_step: int, tasks: Collection[Mapping[str, Any]]) -> None:
        """A graph has a checkpoint; `tasks` are those of the super-step that begins with it."""
        if self._resumed and (namespace not in self._first_step or namespace in self._ended):
            self._first_step[namespace] = next_step
            self._updates[namespace] = Counter(task["name"] for task in tasks if task["id"] in self._stream.shown_tasks)
        (self._ended.discard if tasks else self._ended.add)(namespace)

    def was_passed(self, namespace: str, checkpoint_id: str) -> bool:
        """Whether a call goes on from a checkpoint that was told before those of other calls; it brings nothing new."""
        if checkpoint_id not in self.passed:
            return False
        self._values[namespace] = None
        self._ended.add(namespace)
        return True

    def is_stored(self, namespace: str, metadata: Mapping[str, Any]) -> bool:
        """Whether the checkpoint that a graph tells of was stored before this slice, and not changed since."""
        return _was_read(metadata) and not self.is_changed(namespace, metadata)

    def is_changed(self, namespace: str, metadata: Mapping[str, Any] | None) -> bool:
        """Whether a command has changed the checkpoint that a graph begins with; stored as if it were a task's doing.

        `metadata`: those of the checkpoint, if it is told of.
        """
        is_first = self._is_updated and not namespace and self._stream.first_step is None
        return is_first and (metadata is None or _was_read(metadata))

    def hold_back(self, item: Item, step: int | None) -> bool:
        """Whether these are the values with which a graph begins; `taken_back` has them, for its next item tells more.

        A subgraph of a run that began itself has none of another run.
        """
        begins = (step is None and item.namespace not in self._values) or item.namespace in self._ended
        if item.mode != "values" or not begins:
            return False
        if not (self._resumed or self._is_updated or (self._goes_on and item.namespace)):
            return False
        self._values[item.namespace] = item
        return True

    def taken_back(self, namespace: str, metadata: Mapping[str, Any] | None) -> Item | None:
        """The values with which a graph began whose next item has come; `metadata`: of the checkpoint which that is.

        A graph that goes on has a checkpoint; one without has an input. The run's own input has no values.
        """
        held = self._values.get(namespace)
        if held:
            self._values[namespace] = None
        is_own_input = metadata and metadata["source"] == "input" and metadata.get("run_id") == self._stream.run_id
        return None if is_own_input else held

    def news(self, item: Item, step: int | None) -> Item | None:
        """What of an item is not shown yet, in the super-step `step` of its graph.

        The updates of a task that a crash left finished in an unfinished super-step are marked as cached by LangGraph;
        no client is to see the difference. In the first super-step of a run they are those of an earlier run.
        """
        is_first = step == self._first_step.get(item.namespace)
        if not (self._resumed and is_first and item.mode == "updates" and "__metadata__" in item.payload):
            return item
        node = next(name for name in item.payload if name != "__metadata__")
        shown = self._updates.get(item.namespace, Counter())
        shown[node] -= 1
        if shown[node] >= 0:
            return None
        if self._stream.first_step is None:
            return item
        return replace(item, payload={k: v for k, v in item.payload.items() if k != "__metadata__"})

    def is_shown(self, name: str, data: str) -> bool:
        """Whether this, the first snapshot of its name here, is one that the stream already shows."""
        if not self._resumed or name in self._snapshots:
            return False
        self._snapshots.add(name)
        is_debug = name.partition("|")[0] == "debug"
        shown = self._stream.last_data(name, streamed_items.shows_checkpoint if is_debug else None)
        return shown is not None and streamed_items.identity(shown) == streamed_items.identity(data)


def _was_read(metadata: Mapping[str, Any]) -> bool:
    """LangGraph knows the runs of checkpoints only that it has read; a state that was set by hand has no run."""
    return "run_id" in metadata or metadata["source"] == "update"
