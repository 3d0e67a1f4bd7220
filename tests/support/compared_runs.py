"""Compares what a run leaves that was cut off, or drained, with what an undisturbed one does."""

import itertools
import re
from typing import Any

from langgraph.runtime import RunControl

from runs.outcome import Outcome
from streaming.events import Frame
from tests.support.run_driver import named

#: What is shown only once it is true, and so exactly once.
EXACT = ("values", "updates", "checkpoints", "input.requested")


def exact(frames: list[Frame]) -> list[tuple[str, Any]]:
    """The events that must be the same with and without a crash; a checkpoint as its id's place in the sequence.

    The updates of one super-step have no order: parallel tasks finish when they finish.
    """
    shown = named(frames, *EXACT, "error")
    told = [(name.partition(":")[0], without_ids(data) if "checkpoint" not in name else None) for name, data in shown]
    parts = itertools.groupby(told, key=lambda event: event[0].startswith("updates"))
    return [event for is_updates, part in parts for event in (sorted(part) if is_updates else part)]


def without_ids(text: str) -> str:
    """Task and interrupt ids come from checkpoint ids, which differ between two executions."""
    return re.sub("[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", "ID", text)


def comparable(outcome: Outcome) -> str:
    """An outcome without ids."""
    return without_ids(repr(outcome))


class Spent(RunControl):
    """A budget that is spent as soon as a slice begins, as by a node that takes longer than a slice may."""

    @property
    def drain_requested(self) -> bool:
        return True
