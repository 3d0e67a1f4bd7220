"""What a run row says, in the terms of LangGraph: input or Command, config, context, options of `astream`."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final, cast
from uuid import UUID

from langchain_core.runnables import RunnableConfig

# LangGraph has no public names for these.
from langgraph._internal._constants import (
    CONFIG_KEY_CHECKPOINT_ID,
    CONFIG_KEY_CHECKPOINT_MAP,
    CONFIG_KEY_CHECKPOINT_NS,
)
from langgraph.types import Command, Send

from auth.user import User
from langgraph_terms import CHECKPOINT_KEYS

#: Every checkpoint, task and model call of a run carries these, as on other LangGraph servers.
SERVER_METADATA: Final[Mapping[str, str]] = {
    "langgraph_version": version("langgraph"),
    "langgraph_api_version": "0.16.7",
    "langgraph_plan": "self-hosted",
    "langgraph_host": "superstep",
}

#: LangGraph copies a config's metadata and configurable into checkpoints and reads this key back from there: whatever
#: else stood in it would break the thread for good.
_CHECKPOINT_COUNTERS: Final = "counters_since_delta_snapshot"


def first_input(kwargs: Mapping[str, Any]) -> Any:
    """What the graph starts with: a Command when the request had one that says anything, else its input."""
    given = cast(Mapping[str, Any] | None, kwargs.get("command"))
    return kwargs.get("input") if given is None else command(given)


def goes_on(kwargs: Mapping[str, Any]) -> bool:
    """Whether the graph goes on from a checkpoint of another run, so that its first super-step has none of its own."""
    given = first_input(kwargs)
    return given is None or isinstance(given, Command)


def command(given: Mapping[str, Any]) -> Command[Any] | None:
    """A Command as LangGraph takes it; None for one that says nothing."""
    update, goto, resume = given.get("update"), given.get("goto"), given.get("resume")
    if update is None and not goto and resume is None:
        return None
    return Command(update=_update(update), goto=_goto(goto), resume=resume)


def config(kwargs: Mapping[str, Any], *, run_id: str, thread_id: str, attempt: int) -> RunnableConfig:
    """The config of the run's first super-step."""
    given = cast(Mapping[str, Any], kwargs.get("config") or {})
    configurable: dict[str, Any] = {
        **_of_root(_harmless(given.get("configurable"))),
        "run_id": run_id,
        "thread_id": thread_id,
    }
    if (user := configurable.get("langgraph_auth_user")) is not None:
        configurable["langgraph_auth_user"] = User(user)
    metadata: dict[str, Any] = {
        **_harmless(given.get("metadata")),
        "run_attempt": attempt,
        **SERVER_METADATA,
        "run_id": run_id,
    }
    prepared: dict[str, Any] = {**given, "configurable": configurable, "metadata": metadata, "run_id": UUID(run_id)}
    return cast(RunnableConfig, {key: value for key, value in prepared.items() if value is not None})


def _harmless(given: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (given or {}).items() if key != _CHECKPOINT_COUNTERS}


def _of_root(given: dict[str, Any]) -> dict[str, Any]:
    """An address as LangGraph takes it: one within a subgraph names the checkpoint of the graph around it, if any."""
    around: Mapping[str, str] = given.get(CONFIG_KEY_CHECKPOINT_MAP) or {}
    if given.get(CONFIG_KEY_CHECKPOINT_NS):
        given |= {CONFIG_KEY_CHECKPOINT_NS: "", CONFIG_KEY_CHECKPOINT_ID: None}
    return given | {CONFIG_KEY_CHECKPOINT_ID: around[""]} if "" in around else given


def going_on(given: RunnableConfig) -> RunnableConfig:
    """The config of a run that goes on from a checkpoint of its own; those it named of subgraphs are to begin with."""
    around: Mapping[str, str] = given.get("configurable", {}).get(CONFIG_KEY_CHECKPOINT_MAP) or {}
    of_subgraphs = {namespace: checkpoint_id for namespace, checkpoint_id in around.items() if namespace}
    latest = without_checkpoint(given)
    if not of_subgraphs:
        return latest
    return {**latest, "configurable": {**latest.get("configurable", {}), CONFIG_KEY_CHECKPOINT_MAP: of_subgraphs}}


def without_checkpoint(given: RunnableConfig) -> RunnableConfig:
    """The config addressed at the thread's latest checkpoint, as a run that goes on needs it."""
    given_configurable = cast(Mapping[str, Any], given.get("configurable", {}))
    configurable = {key: value for key, value in given_configurable.items() if key not in CHECKPOINT_KEYS}
    return {**given, "configurable": configurable}


def _update(given: Any) -> Any:
    """JSON has no tuples; LangGraph takes a list of pairs only as tuples."""
    if isinstance(given, list):
        return [tuple(cast(Sequence[Any], pair)) if isinstance(pair, list) else pair for pair in cast(list[Any], given)]
    return given


def _goto(given: Any) -> Any:
    if not given:
        return ()
    if isinstance(given, list):
        return [_destination(item) for item in cast(list[Any], given)]
    return _destination(given)


def _destination(given: str | Mapping[str, Any]) -> Send | str:
    return given if isinstance(given, str) else Send(given["node"], given.get("input"))
