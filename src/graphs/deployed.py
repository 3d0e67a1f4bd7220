"""The project that this Worker was deployed with. Importing this module loads it, so that it is part of the snapshot.

Its only mutable state is what user code keeps in its own modules.
"""

from pathlib import Path
from typing import Final

from graphs.embeddings import load_embeddings
from graphs.registry import Registry, digest, load_auth, read_config
from graphs.ui_bundles import UiBundles

#: Where the bundle step puts the graph project: beside the top-level modules.
PROJECT: Final = Path(__file__).parent.parent / "project"

REGISTRY: Final = Registry.load(PROJECT)

#: The sections of langgraph.json other than its graphs.
CONFIG: Final = read_config(PROJECT)

#: The handlers named by `auth.path` in langgraph.json.
AUTH: Final = load_auth(PROJECT, CONFIG.auth)

#: How the store's items are embedded, if langgraph.json configures that.
EMBEDDINGS: Final = load_embeddings(PROJECT, CONFIG.store.index)

#: The components named by `ui` in langgraph.json.
UI: Final = UiBundles(PROJECT)

#: A digest of the project's files.
RELEASE: Final = digest(PROJECT)
