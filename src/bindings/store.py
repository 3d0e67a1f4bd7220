"""The store of this Worker."""

from pyodide.ffi import run_sync

from bindings.d1 import database
from graphs.deployed import CONFIG
from store.d1_store import D1Store


def store() -> D1Store:
    """A store over the Worker's database.

    Synchronous nodes may use it as well: JavaScript Promise Integration puts their stack aside until D1 has answered,
    and other tasks go on meanwhile.
    """
    return D1Store(database(), ttl=CONFIG.store.ttl, wait=run_sync)
