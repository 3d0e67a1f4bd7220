"""The gate between a graph and its subscribers: results of a super-step are shown only once it is committed.

Events of one super-step come before those of the next, and otherwise keep the order in which the graph emitted them.
Within a super-step that still runs, live events overtake those that wait for its end: otherwise the `updates` of one
parallel branch would hold back the tokens of another.
"""

from dataclasses import replace

from streaming.events import BEFORE_ALL, UNKNOWN_STEP, Delivery, Event, Superstep


class Gate:
    """The waiting events of one run, and which of its super-steps are closed (ended) and which are committed."""

    def __init__(self) -> None:
        self._waiting: list[Event] = []
        self._closed: dict[str, int] = {}
        self._committed: dict[str, int] = {}
        self._committed_tasks: set[str] = set()

    def admit(self, event: Event) -> list[Event]:
        """Take an event from the graph; what may be shown now."""
        passes = event.delivery is Delivery.LIVE or self._is_committed(event)
        if passes and not any(self._is_closing(waiting) for waiting in self._waiting):
            return [event]
        self._waiting.append(event)
        return []

    def close(self, namespace: str, step: int) -> None:
        """A super-step has ended: its commit is under way, and later events wait behind it."""
        self._closed[namespace] = step

    def has_closed(self, namespace: str, step: int) -> bool:
        """Whether a super-step has ended."""
        return self._closed.get(namespace, step - 1) >= step

    def commit(self, namespace: str, step: int) -> list[Event]:
        """A super-step is committed; what may be shown now. One of "" includes all subgraphs that ran in it."""
        self._committed[namespace] = step
        return self._pass()

    def commit_task(self, task_id: str) -> list[Event]:
        """What a task wrote is committed, although its super-step still runs; what may be shown now."""
        self._committed_tasks.add(task_id)
        return self._pass()

    def _pass(self) -> list[Event]:
        released: list[Event] = []
        waiting: list[Event] = []
        blocked = False
        for event in self._waiting:
            passes = event.delivery is Delivery.LIVE or self._is_committed(event)
            if passes and not blocked:
                released.append(event)
            else:
                waiting.append(event)
                blocked = blocked or self._is_closing(event)
        self._waiting = waiting
        return released

    def open(self) -> list[Event]:
        """Everything that still waits, once the graph has stopped and all that it stores is stored."""
        released, self._waiting = self._waiting, []
        return released

    def waiting_besides(self, namespace: str, step: int) -> list[Event]:
        """The waiting events except the snapshots of a super-step."""
        return [
            event
            for event in self._waiting
            if event.delivery is not Delivery.SNAPSHOT
            or (event.superstep.namespace, event.superstep.step) != (namespace, step)
        ]

    def adopt(self, namespace: str, task_id: str, step: int | None) -> set[Superstep]:
        """The waiting live events of a task's super-step, and of graphs in it, become part of what this task does.

        Which tasks beside it they are from, nobody knows. Returns the parts to which they belonged.
        """
        left: set[Superstep] = set()
        for place, event in enumerate(self._waiting):
            part = event.superstep
            is_beside = part.namespace == namespace and step in (None, part.step)
            if event.delivery is Delivery.LIVE and not part.task and (is_beside or task_id in part.namespace):
                left.add(part)
                own_step = part.step if part.namespace == namespace else UNKNOWN_STEP
                own = Superstep(namespace, own_step, part.root_step, task_id, live=True)
                self._waiting[place] = replace(event, superstep=own)
        return left

    def up_to_task(self, task_id: str) -> list[Event]:
        """The waiting events of a task, and those that are shown before them."""
        return [event for event in self._waiting if event.superstep.task == task_id or self._is_closing(event)]

    def waiting(self) -> list[Event]:
        """All events that still wait."""
        return list(self._waiting)

    def _is_committed(self, event: Event) -> bool:
        superstep = event.superstep
        return superstep == BEFORE_ALL or superstep.task in self._committed_tasks or self.has_committed(superstep)

    def has_committed(self, superstep: Superstep) -> bool:
        """Whether the whole super-step is committed."""
        return (
            self._committed.get(superstep.namespace, superstep.step - 1) >= superstep.step
            or self._committed.get("", superstep.root_step - 1) >= superstep.root_step
        )

    def _is_closing(self, event: Event) -> bool:
        """Whether later events wait behind this one: its super-step has ended, or it shows with what a run begins."""
        is_beginning = event.delivery is Delivery.SNAPSHOT and bool(event.superstep.task)
        return is_beginning or self.has_closed(event.superstep.namespace, event.superstep.step)
