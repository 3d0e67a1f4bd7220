"""The store of this Worker."""

from bindings.d1 import database
from graphs.deployed import CONFIG, EMBEDDINGS
from store.d1_store import D1Store
from store.indexes import WORDS
from store.vectors import Vectors


def store() -> D1Store:
    """A store over the Worker's database."""
    config = CONFIG.store
    index = Vectors(database(), config.index, EMBEDDINGS) if config.index and EMBEDDINGS else WORDS
    return D1Store(database(), index=index, ttl=config.ttl)
