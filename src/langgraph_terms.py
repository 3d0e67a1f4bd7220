"""LangGraph's terms that every layer uses: graphs, savers, and the keys of a config that name a checkpoint."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.pregel import Pregel

Graph: TypeAlias = Pregel[Any, Any, Any, Any]
Saver: TypeAlias = BaseCheckpointSaver[Any]

#: The keys of `configurable` that name a checkpoint, in the order in which callers see them.
_ADDRESS_KEYS: Final = ("checkpoint_id", "thread_id", "checkpoint_ns", "checkpoint_map")

#: The keys that name a checkpoint within a thread.
CHECKPOINT_KEYS: Final = tuple(key for key in _ADDRESS_KEYS if key != "thread_id")


def checkpoint_address(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The checkpoint that a config names, as callers see it; None if it names none."""
    configurable = (config or {}).get("configurable", {})
    if configurable.get("checkpoint_id") is None:
        return None
    return {key: configurable[key] for key in _ADDRESS_KEYS if key in configurable}


def _copy(graph: Graph, update: dict[str, Any] | None = None) -> Graph:
    clone = _forgetful_copy(graph, update)
    clone._serde_allowlist = graph._serde_allowlist  # pyright: ignore[reportPrivateUsage]
    return clone


# `Pregel.copy`, and so `with_config`, loses the classes that the graph's checkpoints may contain: they would be
# restored as dicts. Only a change of the class of all graphs reaches the copies that a project makes itself.
_forgetful_copy: Final = cast(Callable[[Graph, dict[str, Any] | None], Graph], Pregel.copy)
cast(Any, Pregel).copy = _copy
