"""Reads the history from which the values of delta channels are rebuilt."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import DeltaChannelHistory, PendingWrite, get_checkpoint_id
from langgraph.checkpoint.serde.base import SerializerProtocol

from checkpoints import codec, rows
from checkpoints.selection import Read, namespace_of
from ports import Statement
from tables import checkpoints as sql

#: How many ancestors one round trip walks.
PAGE_ANCESTORS: Final = 500


async def of_channels(
    read: Read, serde: SerializerProtocol, config: RunnableConfig, channels: Sequence[str]
) -> dict[str, DeltaChannelHistory]:
    """The writes of each channel from its nearest stored value (the `seed`) up to the checkpoint of `config`."""
    writes: dict[str, list[PendingWrite]] = defaultdict(list)
    seeds: dict[str, Any] = {}
    start, missing = get_checkpoint_id(config), codec.to_json(list(dict.fromkeys(channels)))
    while missing != "[]":
        params = (*namespace_of(config), start, missing, PAGE_ANCESTORS)
        found, blobs, calls = await read([Statement(statement, params) for statement in sql.SELECT_ANCESTRY])
        stretch = rows.ancestry(serde, found, rows.stored_blobs(blobs), calls)
        for channel, newest_first in stretch.writes.items():
            writes[channel].extend(newest_first)
        seeds.update(stretch.seeds)
        if len(found) < PAGE_ANCESTORS:
            break
        start, missing = found[-1]["checkpoint_id"], found[-1]["missing"]
    return {channel: _history(writes[channel], channel, seeds) for channel in channels}


def _history(newest_first: Sequence[PendingWrite], channel: str, seeds: Mapping[str, Any]) -> DeltaChannelHistory:
    history = DeltaChannelHistory(writes=list(reversed(newest_first)))
    if channel in seeds:
        history["seed"] = seeds[channel]
    return history
