"""A local HTTP server that the nodes of a test graph call: it counts side effects and can hold a node inside a step.

`GET /runs/{run}/steps/{step}` is the side effect. A test holds a step, waits until a node has arrived there, kills or
breaks the server, and releases the step.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from tests.support.local_http import Answer, LocalHttp, Request

#: A run's name (chosen by the test, carried in the graph's input) and the step's number in it.
Step: TypeAlias = tuple[str, int]

#: A held request whose test has died is let go after this long.
HOLD_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Visit:
    """One execution of a step, in seconds of the monotonic clock."""

    step: Step
    #: When the node sent its request, by its own word (`x-sent-at`, in seconds since 1970); else when the request came.
    sent: float
    began: float
    ended: float
    #: The idempotency token that the node sent.
    token: str


class StepServer(LocalHttp):
    """Counts arrivals at each step; its `url` goes into a graph's input.

    `pace` says how many seconds each step takes besides.
    """

    def __init__(self, pace: Callable[[], float] = lambda: 0.0) -> None:
        super().__init__()
        self._pace = pace
        self._visits: list[Visit] = []
        self._arrivals: Counter[Step] = Counter()
        self._held: set[Step] = set()

    def answer(self, request: Request) -> Answer:
        """See `LocalHttp`."""
        _, _, run, _, step = request.path.split("/")
        now = time.monotonic()
        sent_at = request.headers.get("x-sent-at")
        sent = now if sent_at is None else now - (time.time() - float(sent_at))
        self._arrive(Visit((run, int(step)), sent, now, 0.0, request.headers.get("idempotency-key", "")))
        return Answer()

    def hold(self, run: str, step: int) -> None:
        """Let no node pass this step until `release`."""
        with self._changed:
            self._held.add((run, step))

    def release(self, run: str, step: int) -> None:
        """Let everyone at this step go, and everyone who comes later."""
        with self._changed:
            self._held.discard((run, step))
            self._changed.notify_all()

    def wait_for_arrival(self, run: str, step: int, *, times: int = 1, seconds: float = 20) -> None:
        """Return once the step was reached `times` times; blocks the calling thread, so async tests use `to_thread`."""
        with self._changed:
            reached = self._changed.wait_for(lambda: self._arrivals[run, step] >= times, timeout=seconds)
            assert reached, f"step {step} of {run} not reached {times} times within {seconds} s: {self._arrivals}"

    def arrivals(self, run: str) -> dict[int, int]:
        """How often each step of a run was executed, by step."""
        with self._changed:
            return {step: count for (name, step), count in sorted(self._arrivals.items()) if name == run}

    def visits(self) -> list[Visit]:
        """All executions of steps, in the order in which they began; one that has not ended yet ends now."""
        now = time.monotonic()
        with self._changed:
            return [visit if visit.ended else replace(visit, ended=now) for visit in self._visits]

    def under_way(self) -> set[Step]:
        """The steps in which a node is at the moment."""
        with self._changed:
            return {visit.step for visit in self._visits if not visit.ended}

    def tokens(self, run: str) -> dict[int, list[str]]:
        """The tokens that came with each step of a run, in the order of their arrival."""
        found: dict[int, list[str]] = {}
        for visit in self.visits():
            if visit.step[0] == run:
                found.setdefault(visit.step[1], []).append(visit.token)
        return found

    def _arrive(self, visit: Visit) -> None:
        with self._changed:
            number = len(self._visits)
            self._visits.append(visit)
            self._arrivals[visit.step] += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: visit.step not in self._held, timeout=HOLD_SECONDS)
        time.sleep(self._pace())
        with self._changed:
            self._visits[number] = replace(visit, ended=time.monotonic())
