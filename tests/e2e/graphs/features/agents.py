"""Prebuilt agents with tools, and a chat model that streams what it was told to say."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.prebuilt import InjectedState, create_react_agent
from langgraph.types import Command, interrupt

USAGE = {"input_tokens": 3, "output_tokens": 7, "total_tokens": 10}


class Scripted(BaseChatModel):
    """Calls the tool its user names, then says what came of it, a word at a time."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        chunks = list(self._stream(messages))
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole += chunk
        message = whole.message
        assert isinstance(message, AIMessageChunk)
        answer = AIMessage(message.content, tool_calls=message.tool_calls)
        return ChatResult(generations=[ChatGeneration(message=answer)])

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages[-1]):
            yield ChatGenerationChunk(message=chunk)

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            yield chunk

    def _chunks(self, last: BaseMessage) -> list[AIMessageChunk]:
        if isinstance(last, ToolMessage):
            return [AIMessageChunk(word) for word in ("The tool ", "says ", str(last.content))] + [
                AIMessageChunk("", response_metadata={"finish_reason": "stop"}, usage_metadata=USAGE)
            ]
        name, _, argument = str(last.content).partition(" ")
        pieces = [(name, "", "call_1"), (None, '{"text": ', None), (None, f'"{argument}"}}', None)]
        return [AIMessageChunk("Let me "), AIMessageChunk("see.")] + [
            AIMessageChunk("", tool_call_chunks=[{"name": n, "args": args, "id": id_, "index": 0}])
            for n, args, id_ in pieces
        ]


@tool
async def reverse(text: str) -> str:
    """Reverse a text."""
    return text[::-1]


@tool
def ask(text: str) -> str:
    """Ask a person."""
    return f"a person said {interrupt({'about': text})}"


@tool
async def count(text: str, state: Annotated[dict[str, Any], InjectedState]) -> str:
    """Count the messages before this call."""
    return f"{len(state['messages'])} messages"


@tool
async def hand_over(text: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
    """Write the state instead of answering."""
    return Command(update={"messages": [ToolMessage(f"handed over {text}", tool_call_id=tool_call_id)]})


@tool
async def fail(text: str) -> str:
    """Fail."""
    raise ValueError(text)


react = create_react_agent(Scripted(), [reverse, ask, count, hand_over, fail], prompt="You are scripted.")
