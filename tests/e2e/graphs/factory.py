"""A graph that is made for each run, from the run's configuration."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict  # pydantic describes no other before Python 3.12


class Greeting(TypedDict):
    name: str
    text: str


async def make_graph(config: RunnableConfig) -> Any:
    word = config.get("configurable", {}).get("word", "Hello")

    async def greet(state: Greeting) -> dict[str, str]:
        return {"text": f"{word} {state['name']}"}

    return StateGraph(Greeting).add_node(greet).add_edge(START, "greet").compile()
