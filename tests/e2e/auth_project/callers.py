"""A graph that tells who called it, and one that works through the server's own client."""

from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph_sdk import get_client

client = get_client()


class State(TypedDict, total=False):
    """What both say."""

    seen: dict[str, Any]


async def look(state: State, config: RunnableConfig, runtime: Runtime) -> State:
    """The caller, as a node sees them."""
    configurable = config.get("configurable", {})
    user: Any = configurable["langgraph_auth_user"]
    assert runtime.server_info is not None
    known = runtime.server_info.user
    return {
        "seen": {
            "identity": user.identity,
            "org": user["org"],
            "permissions": configurable["langgraph_auth_permissions"],
            "runtime": known and known.identity,
            "tenant": configurable.get("x-tenant-id"),
            "header": configurable.get("x-tenant-name"),
        }
    }


async def delegate(state: State) -> State:
    """A run of another thread, awaited; and one more, streamed by a client of its own."""
    awaited = await client.runs.wait(None, "caller_of_nobody", input={})
    thread = await client.threads.create(metadata={"made_by": "delegate"})
    events = [part.event async for part in get_client().runs.stream(thread["thread_id"], "caller_of_nobody", input={})]
    found = await client.threads.search(metadata={"made_by": "delegate"})
    return {"seen": {"awaited": awaited, "events": events, "found": len(found)}}


async def answer(state: State, config: RunnableConfig) -> State:
    """Nobody called, but the project itself."""
    return {"seen": {"user": config.get("configurable", {}).get("langgraph_auth_user")}}


caller = StateGraph(State).add_node("look", look).add_edge(START, "look").compile()
delegating = StateGraph(State).add_node("delegate", delegate).add_edge(START, "delegate").compile()
caller_of_nobody = StateGraph(State).add_node("answer", answer).add_edge(START, "answer").compile()
