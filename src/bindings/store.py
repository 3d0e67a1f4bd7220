"""The store of this Worker."""

from graphs.deployed import CONFIG, EMBEDDINGS
from ports import Database
from store.d1_store import D1Store
from store.indexes import WORDS
from store.vectors import Vectors


def store(database: Database) -> D1Store:
    """A store over `database`, the Worker's own or a patient one."""
    config = CONFIG.store
    index = Vectors(database, config.index, EMBEDDINGS) if config.index and EMBEDDINGS else WORDS
    return D1Store(database, index=index, ttl=config.ttl)
