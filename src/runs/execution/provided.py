"""What the server provides to the execution of every graph."""

from dataclasses import dataclass

from langgraph.store.base import BaseStore

from d1_cache import OpenCache
from tracing.exporter import Exporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """A store; a cache, for a graph that was compiled without one; and who is told what it does, if anybody."""

    store: BaseStore
    open_cache: OpenCache
    traces: Exporter | None = None
