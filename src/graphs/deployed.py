"""The project this Worker was deployed with; importing this module loads it, so that it is part of the snapshot.

Mutable only by what user code keeps in its own modules.
"""

from pathlib import Path
from typing import Final

from graphs.embeddings import load_embeddings
from graphs.registry import Registry, digest, load_auth, read_config
from graphs.ui_bundles import UiBundles

#: Where the bundle step puts the graph project: beside the top-level modules.
PROJECT: Final = Path(__file__).parent.parent / "project"

REGISTRY: Final = Registry.load(PROJECT)

#: What langgraph.json says besides its graphs.
CONFIG: Final = read_config(PROJECT)

#: The handlers that langgraph.json names as `auth.path`.
AUTH: Final = load_auth(PROJECT, CONFIG.auth)

#: How the store's items are embedded, if langgraph.json says so.
EMBEDDINGS: Final = load_embeddings(PROJECT, CONFIG.store.index)

#: The components that langgraph.json names as `ui`.
UI: Final = UiBundles(PROJECT)

#: Names the project's code: another after every change.
RELEASE: Final = digest(PROJECT)
