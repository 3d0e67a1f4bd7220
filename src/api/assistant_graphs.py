"""The graph of an assistant: its drawing and its JSON schemas."""

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any, TypeAlias, cast

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from pydantic import BeforeValidator, Field, StrictBool

from api import assistants
from api.context import Call
from errors import BadRequest, NotFound
from graphs.drawing import drawn
from graphs.schemas import schemas as schemas_of
from http_messages import Reply, json_response
from runs.creation import resolve_assistant
from streaming.json_text import dumps
from tables.assistants import Assistant
from wire.queries import Query

logger = logging.getLogger(__name__)

Graph: TypeAlias = Pregel[Any, Any, Any, Any]


def _bool_or_int(text: str) -> bool | int | str:
    words = {"true": True, "false": False}
    return int(text) if text.isascii() and text.isdigit() else words.get(text.lower(), text)


class GraphQuery(Query):
    """The query of GET …/graph."""

    xray: Annotated[
        StrictBool | Annotated[int, Field(strict=True, ge=1, le=100)],
        BeforeValidator(_bool_or_int),
        Field(description="Whether to draw the inside of subgraphs, or down to which depth."),
    ] = False


class SubgraphsQuery(Query):
    """The query of GET …/subgraphs."""

    recurse: bool = Field(False, description="Also the subgraphs of subgraphs; always on when a namespace is given.")


async def draw(call: Call[None, GraphQuery]) -> Reply:
    """Draw the graph of an assistant, which may be named by its graph."""
    assistant_id, _ = resolve_assistant(call.services.graphs(), call.path["assistant_id"])
    async with _graph(replace(call, path={"assistant_id": assistant_id})) as (_, graph, config):
        return json_response(dumps(await drawn(graph, config, xray=call.query.xray)))


async def schemas(call: Call[None, None]) -> Reply:
    """The schemas of an assistant's graph."""
    async with _graph(call) as (graph_id, graph, _):
        return json_response(dumps({"graph_id": graph_id, **schemas_of(graph)}))


async def subgraphs(call: Call[None, SubgraphsQuery]) -> Reply:
    """The schemas of the subgraphs of an assistant's graph, by namespace, or only of the one at a namespace."""
    namespace = call.path.get("namespace")
    async with _graph(call) as (_, graph, _):
        found = graph.aget_subgraphs(namespace=namespace, recurse=call.query.recurse or namespace is not None)
        # A remote graph is no Pregel of this process; its own server has its schemas.
        local = {name: schemas_of(subgraph) async for name, subgraph in found if isinstance(subgraph, Pregel)}
    return json_response(dumps(local))


@asynccontextmanager
async def _graph(call: Call[Any, Any]) -> AsyncGenerator[tuple[str, Graph, RunnableConfig]]:
    """The name of the assistant's graph, the graph under that name, and the assistant's configuration."""
    assistant, _ = await assistants.read(call)
    async with opened(call, assistant) as graph:
        yield assistant.graph_id, graph.copy({"name": assistant.graph_id}), _config(assistant)


@asynccontextmanager
async def opened(call: Call[Any, Any], assistant: Assistant) -> AsyncGenerator[Graph]:
    """Open the graph of an assistant.

    Raises BadRequest if its factory, which is user code, cannot make it for the assistant's configuration.
    """
    graph_id = assistant.graph_id
    async with AsyncExitStack() as stack:
        try:
            graph = await stack.enter_async_context(call.open_graph(graph_id, _config(assistant), "assistants.read"))
        except NotFound:
            raise
        except Exception as error:
            logger.warning("graph %s was not made for assistant %s", graph_id, assistant.assistant_id, exc_info=True)
            raise BadRequest(f"Graph '{graph_id}' could not be made: {type(error).__name__}: {error}") from error
        yield graph


def _config(assistant: Assistant) -> RunnableConfig:
    return cast(RunnableConfig, {"configurable": {}, **json.loads(assistant.config)})
