"""Makes spans from LangChain's callbacks about one run: its tasks, and their calls of models and tools.

The run's own graph is not among them: the whole run is one span (`span_id`), however many attempts it took.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages.utils import convert_to_openai_messages
from langchain_core.outputs import LLMResult
from langgraph.errors import GraphBubbleUp

from streaming.json_text import described, dumps
from trace_context import TraceContext
from tracing.spans import RunType, Span, Value

#: The tag of internal steps of LangChain and LangGraph, such as writing to channels.
_HIDDEN: Final = "langsmith:hidden"

#: The conventions' names for metadata of LangGraph and LangChain.
_METADATA_NAMES: Final[Mapping[str, str]] = {
    "langgraph_node": "langgraph.node",
    "langgraph_step": "langgraph.step",
    "langgraph_checkpoint_ns": "langgraph.checkpoint_ns",
}
_MODEL_NAMES: Final[Mapping[str, str]] = {
    "ls_provider": "gen_ai.provider.name",
    "ls_model_name": "gen_ai.request.model",
    "ls_temperature": "gen_ai.request.temperature",
    "ls_max_tokens": "gen_ai.request.max_tokens",
}


#: How many characters of inputs are kept for open spans: each of a thousand parallel tasks has the whole state as
#: input.
MAX_OPEN_CHARACTERS: Final = 4_000_000


class SpanRecorder(BaseCallbackHandler):
    """Hands each span over when it ends. LangChain logs an error in here, which harms no run."""

    #: Callbacks run in the order of events, for asynchronous callers, too.
    run_inline = True

    def __init__(
        self,
        run_id: str,
        span_id: str,
        trace: TraceContext,
        attributes: Mapping[str, Value],
        take: Callable[[Span], None],
        *,
        project: str | None = None,
        captures_content: bool = False,
        is_cut_off: Callable[[], bool] = lambda: False,
    ) -> None:
        self._run = UUID(run_id)
        self._trace = trace
        self._attributes = attributes
        self._take = take
        self._project = project
        self._captures_content = captures_content
        #: Whether what is cancelled begins again in another slice.
        self._is_cut_off = is_cut_off
        self._open: dict[UUID, Span] = {}
        self._characters = 0
        #: For callbacks that make no span, the id of the enclosing span.
        self._inside: dict[UUID, str] = {self._run: span_id}

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **about: Any) -> None:
        """A graph, a task of it, or any other runnable begins."""
        if run_id == self._run:
            return
        if _HIDDEN in (about.get("tags") or ()):
            self._inside[run_id] = self._parent(about.get("parent_run_id"))
            return
        self._begin(run_id, about, about.get("name") or _name(serialized, "chain"), inputs=inputs)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **_about: Any) -> None:
        """See `on_chain_start`."""
        if run_id != self._run and self._inside.pop(run_id, None) is None:
            self._end(run_id, outputs=outputs)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_about: Any) -> None:
        """See `on_chain_start`."""
        if run_id != self._run and self._inside.pop(run_id, None) is None:
            self._end(run_id, error=error)

    def on_chat_model_start(
        self, serialized: Any, messages: Sequence[Sequence[BaseMessage]], *, run_id: UUID, **about: Any
    ) -> None:
        """A call of a chat model begins."""
        self._begin_model("chat", run_id, serialized, about, messages[0])

    def on_llm_start(self, serialized: Any, prompts: Sequence[str], *, run_id: UUID, **about: Any) -> None:
        """A call of a text completion model begins."""
        self._begin_model("text_completion", run_id, serialized, about, [HumanMessage(prompt) for prompt in prompts])

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **_about: Any) -> None:
        """See `on_chat_model_start`."""
        if span := self._open.get(run_id):
            generation = response.generations[0][0]
            message: BaseMessage = getattr(generation, "message", None) or AIMessage(generation.text)
            span.attributes |= _answered(message)
            self._end(run_id, outputs=self._messages([message]))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_about: Any) -> None:
        """See `on_chat_model_start`."""
        self._end(run_id, error=error)

    def on_tool_start(self, serialized: Any, input_str: str, *, run_id: UUID, **about: Any) -> None:
        """A call of a tool begins."""
        name = _name(serialized, "tool")
        called = {"gen_ai.tool.call.id": about["tool_call_id"]} if about.get("tool_call_id") else {}
        attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, **called}
        inputs = about.get("inputs")
        self._begin(
            run_id,
            about,
            f"execute_tool {name}",
            run_type="tool",
            attributes=attributes,
            inputs=input_str if inputs is None else inputs,
        )

    def on_tool_end(self, output: Any, *, run_id: UUID, **_about: Any) -> None:
        """See `on_tool_start`."""
        self._end(run_id, outputs=output.content if isinstance(output, BaseMessage) else output)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_about: Any) -> None:
        """See `on_tool_start`."""
        self._end(run_id, error=error)

    def on_retriever_start(self, serialized: Any, query: str, *, run_id: UUID, **about: Any) -> None:
        """A search for documents begins."""
        name = about.get("name") or _name(serialized, "retriever")
        attributes = {"gen_ai.operation.name": "retrieval"}
        self._begin(run_id, about, name, run_type="retriever", attributes=attributes, inputs={"query": query})

    def on_retriever_end(self, documents: Sequence[Document], *, run_id: UUID, **_about: Any) -> None:
        """See `on_retriever_start`."""
        self._end(run_id, outputs={"documents": documents})

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_about: Any) -> None:
        """See `on_retriever_start`."""
        self._end(run_id, error=error)

    def _begin_model(
        self,
        operation: str,
        run_id: UUID,
        serialized: Any,
        about: Mapping[str, Any],
        messages: Sequence[BaseMessage],
    ) -> None:
        given = _said(about, _MODEL_NAMES)
        model = given.get("gen_ai.request.model") or _name(serialized, "model")
        self._begin(
            run_id,
            about,
            f"{operation} {model}",
            run_type="llm",
            attributes={"gen_ai.operation.name": operation, **given},
            inputs=self._messages(messages),
        )

    def _begin(
        self,
        run_id: UUID,
        about: Mapping[str, Any],
        name: str,
        *,
        run_type: RunType = "chain",
        attributes: Mapping[str, Value] | None = None,
        inputs: Any,
    ) -> None:
        span = Span(
            trace=self._trace,
            # Not from LangChain's id: isolates of one memory snapshot may repeat its random half (see `ids`).
            span_id=os.urandom(8).hex(),
            parent_id=self._parent(about.get("parent_run_id")),
            name=name,
            kind="client" if run_type == "llm" else "internal",
            run_type=run_type,
            start_ns=time.time_ns(),
            attributes={**self._attributes, **_said(about, _METADATA_NAMES), **(attributes or {})},
            inputs=self._content(inputs),
            project=self._project,
        )
        if self._characters + span.characters > MAX_OPEN_CHARACTERS:
            span.omit_content()
        self._characters += span.characters
        self._open[run_id] = span

    def _end(self, run_id: UUID, *, outputs: Any = None, error: BaseException | None = None) -> None:
        span = self._open.pop(run_id, None)
        if span is None:
            return
        if error is not None and not isinstance(error, Exception):
            # LangChain does not say that a tool or a retriever was cancelled.
            for inner in [inner for inner, other in self._open.items() if other.parent_id == span.span_id]:
                self._end(inner, error=error)
        self._characters -= span.characters
        span.end_ns = max(time.time_ns(), span.start_ns)  # the Worker's clock may step back a little
        if error is None:
            span.outputs = self._content(outputs)
        elif not (isinstance(error, GraphBubbleUp) or self._is_cut_off()):  # an interrupt, say, is no failure
            span.error = (type(error).__name__, described(error))
            span.attributes["error.type"] = type(error).__name__
        self._take(span)

    def _parent(self, run_id: UUID | None) -> str:
        if run_id is None:
            return self._inside[self._run]
        span = self._open.get(run_id)
        return span.span_id if span else self._inside.get(run_id, self._inside[self._run])

    def _messages(self, messages: Sequence[BaseMessage]) -> Any:
        return {"messages": convert_to_openai_messages(messages)} if self._captures_content else None

    def _content(self, value: Any) -> str | None:
        return dumps(value) if self._captures_content and value is not None else None


def _said(about: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Value]:
    """Attributes from metadata, which may contain anything."""
    metadata = about.get("metadata") or {}
    found = {name: metadata[key] for key, name in names.items() if metadata.get(key) is not None}
    return {name: value if isinstance(value, str | int | float) else described(value) for name, value in found.items()}


def _answered(message: BaseMessage) -> dict[str, Value]:
    """Attributes from a model's metadata about its answer."""
    usage: Mapping[str, int] = getattr(message, "usage_metadata", None) or {}
    said = message.response_metadata
    finish: Any = said.get("finish_reason") or said.get("stop_reason")
    model: Any = said.get("model_name") or said.get("model")
    return {
        **{f"gen_ai.usage.{name}": usage[name] for name in ("input_tokens", "output_tokens") if name in usage},
        **({"gen_ai.response.model": str(model)} if model else {}),
        **({"gen_ai.response.finish_reasons": [str(finish)]} if finish else {}),
    }


def _name(serialized: Any, otherwise: str) -> str:
    given: Mapping[str, Any] = serialized or {}
    return str(given.get("name") or (given.get("id") or [otherwise])[-1])
