"""A call of a graph has one recursion limit, in however many slices it is executed.

LangGraph counts from the step at which it loads a graph. The id of a checkpoint tells how many super-steps its call had
made by then (`task_names.used_by`).
"""

from typing import Any, Final, cast

from langgraph.pregel._loop import PregelLoop

from runs.execution import own_checkpoints, task_names
from runs.execution.task_names import caller, caller_of, used_by


def _first(loop: Any, **given: Any) -> Any:
    """A graph's loop begins."""
    if run_id := task_names.run_at_work():
        goes_on = own_checkpoints.is_of(loop, run_id) and caller(loop.config["configurable"]) in (None, caller_of(loop))
        used = used_by(loop) if goes_on else 0
        loop.began_at = loop.step - used
        loop.stop -= used
    return _begin(loop, **given)


_begin: Final = cast(Any, PregelLoop)._first
cast(Any, PregelLoop)._first = _first
