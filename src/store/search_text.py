"""Full-text search without any setup: the words of an item, and the words of a query.

SQLite's tokenizer cuts at spaces and punctuation, which Chinese, Japanese, Korean and Thai do not put between words.
There every character is a word, and a query asks for pairs of neighbours.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, Final, cast

from langgraph.store.base import get_text_at_path

from tables.store_namespaces import Namespace, encode

#: The rest of a longer item is not indexed.
MAX_INDEXED_CHARS: Final = 50_000
#: The rest of a longer query is ignored.
MAX_QUERY_TERMS: Final = 64

_UNSPACED: Final = "\u0e00-\u0eff\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_UNSPACED_CHARACTER: Final = re.compile(f"[{_UNSPACED}]")
_RUN: Final = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")


def words(namespace: Namespace, value: Mapping[str, Any], paths: Sequence[str] | None) -> tuple[str, str]:
    """The columns of `store_texts` for an item: its scope, and the text at `paths` (None for all its text)."""
    texts = _texts(value) if paths is None else (text for path in paths for text in get_text_at_path(dict(value), path))
    text = _UNSPACED_CHARACTER.sub(r" \g<0> ", "\n".join(texts)[:MAX_INDEXED_CHARS])
    return " ".join(_scope(namespace[:depth]) for depth in range(1, len(namespace) + 1)), text


def expression(prefix: Namespace, query: str) -> str | None:
    """The FTS5 expression for items in a subtree that contain any word of a query; None if the query has no words.

    It consists of quoted words, so no query is a syntax error.
    """
    terms = dict.fromkeys(islice(_terms(query), MAX_QUERY_TERMS))
    if not terms:
        return None
    any_term = " OR ".join(f'"{term}"' for term in terms)
    scope = f'scope : "{_scope(prefix)}" AND ' if prefix else ""
    return f"{scope}text : ({any_term})"


def _texts(value: Any) -> Iterator[str]:
    """Texts and numbers anywhere in a JSON value, without the names of its fields."""
    if isinstance(value, Mapping):
        for inner in cast(Mapping[str, Any], value).values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in cast(Sequence[Any], value):
            yield from _texts(inner)
    elif isinstance(value, str | int | float):
        yield str(value)


def _terms(query: str) -> Iterator[str]:
    for run in _RUN.findall(query):
        if _UNSPACED_CHARACTER.match(run) and len(run) > 1:
            yield from (f"{first} {second}" for first, second in pairwise(run))
        else:
            yield run


def _scope(prefix: Namespace) -> str:
    """A word for a namespace.

    If two share one, that only costs time, because the namespace itself is compared as well.
    """
    return f"n{zlib.crc32(encode(prefix).encode()):08x}"
