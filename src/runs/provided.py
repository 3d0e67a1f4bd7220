"""What the server provides to every graph."""

from dataclasses import dataclass

from langgraph.store.base import BaseStore

from d1_cache import OpenCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """A store; and a cache, for a graph that was compiled without one."""

    store: BaseStore
    open_cache: OpenCache
