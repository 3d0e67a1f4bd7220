"""Tells the checkpoints that our checkpointer gets from all others that graphs stream.

A node may call a graph that gives none to the checkpointer before its end (durability "exit") or has a checkpointer of
its own, or a `RemoteGraph`, which passes on what another server streams.
"""

from typing import Any, Final, cast

from langgraph.pregel._loop import PregelLoop

from langgraph_terms import Saver

_IDS: Final = "ids_of_own_checkpoints"


def note(saver: Saver, ids: set[str]) -> None:
    """Add to `ids` each checkpoint that this saver has, or is about to get, before a graph streams it."""
    setattr(saver, _IDS, ids)  # of the instance, so that clones made with `copy` keep it


def are_noted(saver: Any) -> bool:
    """Whether a graph's `checkpointer` is one that `note` was called with."""
    return hasattr(saver, _IDS)


def is_of(loop: Any, run_id: str) -> bool:
    """Whether a graph begins with a checkpoint that this run gave to our checkpointer."""
    return are_noted(loop.checkpointer) and loop.checkpoint_metadata.get("run_id") == run_id


def _stream_checkpoint(loop: Any) -> None:
    ids = getattr(loop.checkpointer, _IDS, None)
    was_read = loop.checkpoint["id"] == loop.checkpoint_id_saved
    if ids is not None and (was_read or loop.durability != "exit"):
        ids.add(loop.checkpoint["id"])
    _stream(loop)


# LangGraph streams a checkpoint without saying who stores it.
_stream: Final = cast(Any, PregelLoop)._prepare_tasks_and_emit_checkpoint
cast(Any, PregelLoop)._prepare_tasks_and_emit_checkpoint = _stream_checkpoint
