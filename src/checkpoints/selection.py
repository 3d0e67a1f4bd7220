"""Which checkpoints a call asks for, and the statements that read them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import get_checkpoint_id

from ports import Row, SqlValue, Statement
from tables import checkpoints as sql

#: At most this many keys of a filter are compared in SQL, each with two of D1's 100 parameters; the rest in Python.
MAX_LISTED_KEYS: Final = 40
#: How many checkpoints one round trip of a listing reads, each with its channel values.
PAGE_CHECKPOINTS: Final = 10

#: The first statements of `aget_tuple` or `alist`.
Question: TypeAlias = Sequence[Statement]

#: Reads from the database, including everything that was put before.
Read: TypeAlias = Callable[[Question], Awaitable[list[list[Row]]]]


def one(config: RunnableConfig) -> Question:
    """The statements of `aget_tuple`."""
    thread_id, checkpoint_ns = namespace_of(config)
    where = Where().equal(thread_id=thread_id, checkpoint_ns=checkpoint_ns, checkpoint_id=get_checkpoint_id(config))
    return where.select(1)


def page(
    config: RunnableConfig, *, filter: Mapping[str, Any] | None, before: RunnableConfig | None, limit: int
) -> Question:
    """The statements of the first page of `alist`."""
    return listing(config, filter or {}, before).select(page_size(filter, limit))


def page_size(wanted: Mapping[str, Any] | None, remaining: int) -> int:
    """How many checkpoints to read at once; a checkpoint that the filter rejects does not reduce `remaining`."""
    return PAGE_CHECKPOINTS if wanted else min(remaining, PAGE_CHECKPOINTS)


@dataclass(frozen=True, slots=True)
class Where:
    """A selection of checkpoints, built condition by condition."""

    conditions: tuple[str, ...] = ()
    params: tuple[SqlValue, ...] = ()

    def also(self, condition: str, *params: SqlValue) -> "Where":
        """This selection, narrowed by `condition`."""
        return replace(self, conditions=(*self.conditions, condition), params=(*self.params, *params))

    def equal(self, **columns: str | None) -> "Where":
        """This selection, narrowed to these values; None means any value."""
        where = self
        for column, value in columns.items():
            if value is not None:
                where = where.also(f"{column} = ?", value)
        return where

    def after(self, config: RunnableConfig) -> "Where":
        """This selection, narrowed to the checkpoints that a listing shows after that of `config`."""
        order = "(checkpoint_id, thread_id, checkpoint_ns)"
        return self.also(f"{order} < (?, ?, ?)", get_checkpoint_id(config), *namespace_of(config))

    def select(self, limit: int) -> list[Statement]:
        """The statements that read the first `limit` checkpoints of this selection."""
        where = " AND ".join(self.conditions) or "TRUE"
        return [Statement(statement.replace("{where}", where), (*self.params, limit)) for statement in sql.SELECT_PAGE]


def listing(config: RunnableConfig | None, metadata: Mapping[str, Any], before: RunnableConfig | None) -> Where:
    """A superset of a listing: conditions on metadata that SQL cannot compare exactly are left out."""
    where = Where()
    if config:
        where = where.equal(
            thread_id=namespace_of(config)[0],
            checkpoint_ns=config.get("configurable", {}).get("checkpoint_ns"),
            checkpoint_id=get_checkpoint_id(config),
        )
    if before and (before_id := get_checkpoint_id(before)):
        where = where.also("checkpoint_id < ?", before_id)
    for key, value in list(metadata.items())[:MAX_LISTED_KEYS]:
        if key.isascii() and key.isidentifier() and isinstance(value, str) and "\0" not in value:
            where = where.also("json_extract(metadata, ?) = ?", f"$.{key}", value)
    return where


def contains(actual: Any, wanted: Any) -> bool:
    """Whether `actual` equals `wanted` or, if both are dicts, contains it."""
    if isinstance(actual, dict) and isinstance(wanted, dict):
        have, need = cast(dict[str, Any], actual), cast(dict[str, Any], wanted)
        return all(key in have and contains(have[key], value) for key, value in need.items())
    return actual == wanted


def namespace_of(config: RunnableConfig) -> tuple[str, str]:
    """The thread id and checkpoint namespace that `config` names."""
    configurable = config.get("configurable", {})
    return configurable["thread_id"], configurable.get("checkpoint_ns", "")
