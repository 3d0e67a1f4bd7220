"""The store of this Worker."""

from pyodide.ffi import run_sync

from bindings.d1 import database
from graphs.deployed import CONFIG, EMBEDDINGS
from store.d1_store import D1Store
from store.indexes import WORDS
from store.vectors import Vectors


def store() -> D1Store:
    """A store over the Worker's database.

    Synchronous nodes may use it as well: JavaScript Promise Integration puts their stack aside until D1 has answered,
    and other tasks go on meanwhile.
    """
    config = CONFIG.store
    index = Vectors(database(), config.index, EMBEDDINGS) if config.index and EMBEDDINGS else WORDS
    return D1Store(database(), index=index, ttl=config.ttl, wait=run_sync)
