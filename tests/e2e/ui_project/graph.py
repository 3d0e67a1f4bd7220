"""A graph that shows a component of its own."""

from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.graph.ui import UIMessage, push_ui_message, ui_message_reducer


class State(TypedDict, total=False):
    city: str
    ui: Annotated[list[UIMessage], ui_message_reducer]


def forecast(state: State) -> State:
    push_ui_message("weather", {"city": state["city"]}, id="forecast")
    return {}


builder = StateGraph(State)
builder.add_node("forecast", forecast)
builder.add_edge(START, "forecast")
graph = builder.compile()
