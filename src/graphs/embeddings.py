"""How the project embeds texts for its store: by a function of its own, or by a provider's model."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from langchain_core.embeddings import Embeddings
from langgraph.store.base import ensure_embeddings

from errors import GraphLoadError
from graphs.registry import load_object
from project_config.sections import StoreIndex

#: Makes the embeddings at their first use, because no client may be made before the memory snapshot is taken.
MakeEmbeddings: TypeAlias = Callable[[], Embeddings]

#: LangChain packages whose names differ from their provider's.
_PACKAGES: Final[Mapping[str, str]] = {"azure_openai": "langchain_openai", "bedrock": "langchain_aws"}


def load_embeddings(project: Path, index: StoreIndex | None) -> MakeEmbeddings | None:
    """The embeddings named by `store.index.embed` in langgraph.json. Raises `GraphLoadError`."""
    if index is None:
        return None
    name, _, _ = index.embed.partition(":")
    if name.endswith(".py"):
        return _of_project(project, index.embed)
    for package in ("langchain", _PACKAGES.get(name, f"langchain_{name}")):
        if find_spec(package) is None:
            raise GraphLoadError(
                f"store.index.embed ({index.embed}) needs the package {package}: add it to 'dependencies', "
                "or name a function of the project (file.py:function)"
            )
    return lru_cache(maxsize=1)(lambda: ensure_embeddings(index.embed))


def _of_project(project: Path, source: str) -> MakeEmbeddings:
    found = load_object(project, source)
    if not isinstance(found, Embeddings) and not callable(found):
        raise GraphLoadError(f"store.index.embed ({source}) is neither a function nor an Embeddings object")
    embeddings = ensure_embeddings(cast(Any, found))
    return lambda: embeddings
