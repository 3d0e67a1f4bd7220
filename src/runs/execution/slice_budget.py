"""How long a slice of a run may take before it goes on in a Workflow."""

from typing import Final

from langgraph.runtime import RunControl

import clock
import d1_usage
from d1_checkpointer import CommittedCheckpoint
from runs.execution.cpu_watch import CpuWatch

#: An invocation may ask D1 1,000 times, and is then refused for good. The rest is for the alarm's other runs, and for
#: the super-step at the slice's end.
MAX_BATCHES: Final = 500


class SliceBudget(RunControl):
    """Asks the graph to drain, at its next super-step, once its time, super-steps, CPU or calls of D1 are spent.

    Needs no timer: it looks at the clock when LangGraph asks.
    """

    __slots__ = ("_batches_until", "_supersteps_left", "_until_ms", "_usage", "cpu")

    def __init__(self, *, seconds: int, supersteps: int) -> None:
        super().__init__()
        self.cpu = CpuWatch()
        self._until_ms = clock.now_ms() + seconds * 1000
        self._supersteps_left = supersteps
        self._usage = d1_usage.so_far()
        self._batches_until = self._usage.batches + MAX_BATCHES

    @property
    def drain_requested(self) -> bool:
        """See `RunControl`."""
        is_spent = self._supersteps_left <= 0 or self._usage.batches >= self._batches_until
        return is_spent or self.cpu.is_scarce or clock.now_ms() >= self._until_ms or super().drain_requested

    def count(self, committed: CommittedCheckpoint) -> None:
        """A super-step is stored; only those of the run's own graph count."""
        if not committed.checkpoint_ns:
            self._supersteps_left -= 1
