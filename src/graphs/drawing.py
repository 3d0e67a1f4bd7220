"""Drawings of graphs as nodes and edges."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel


async def drawn(graph: Pregel[Any, Any, Any, Any], config: RunnableConfig, *, xray: bool | int) -> dict[str, Any]:
    """The drawn graph; `xray` also opens its subgraphs, all of them or down to a depth."""
    drawing = (await graph.aget_graph(config, xray=xray)).to_json()
    for node in drawing["nodes"]:
        data = node.get("data")
        if isinstance(data, dict):
            data.pop("id", None)  # the class of the node's function, which says nothing to a client
    return drawing
