"""planner → researcher → writer → editor, who sends the draft back at least once.

Compiled without a checkpointer: the server brings its own.
"""

from langgraph.graph import END, START, StateGraph

from agent import members
from agent.state import AgencyState

_builder = StateGraph(AgencyState)
_builder.add_node("planner", members.planner)
_builder.add_node("researcher", members.researcher)
_builder.add_node("writer", members.writer)
_builder.add_node("editor", members.editor)
_builder.add_edge(START, "planner")
_builder.add_edge("planner", "researcher")
_builder.add_edge("researcher", "writer")
_builder.add_edge("writer", "editor")
_builder.add_conditional_edges("editor", members.is_accepted, {True: END, False: "writer"})

agency_graph = _builder.compile()
