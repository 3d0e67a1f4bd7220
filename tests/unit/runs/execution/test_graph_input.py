"""The input that a graph gets from its run."""

from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime

from runs.execution import graph_input
from streaming.json_text import dumps

RUN = "01a1fc60-905c-7390-9fc1-ed6b2aa6090c"


class State(TypedDict, total=False):
    seen: list[Any]


async def test_a_node_sees_the_caller_as_an_object_and_as_a_mapping() -> None:
    def look(state: State, config: RunnableConfig, runtime: Runtime) -> State:
        user: Any = config.get("configurable", {})["langgraph_auth_user"]
        assert runtime.server_info is not None
        assert runtime.server_info.user is user
        return {"seen": [user.identity, user["identity"], user.org, user.get("org"), "x" in user, dumps({"u": user})]}

    graph = StateGraph(State).add_node("look", look).add_edge(START, "look").compile()
    kwargs = {"config": {"configurable": {"langgraph_auth_user": {"identity": "alice", "org": 1}}}}
    config = graph_input.config(kwargs, run_id=RUN, thread_id=RUN, attempt=1)
    text = '{"u":{"identity":"alice","is_authenticated":true,"display_name":"alice","org":1}}'
    assert (await graph.ainvoke({}, config))["seen"] == ["alice", "alice", 1, 1, False, text]
