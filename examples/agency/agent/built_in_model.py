"""A chat model without a model: it answers from a template, the same every time, word by word."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult


class BuiltInModel(BaseChatModel):
    """Streams a deterministic answer to the last message."""

    @property
    def _llm_type(self) -> str:
        return "built-in"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in _chunks(messages):
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in _chunks(messages):
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk
            # A real model lets other work happen between tokens; so does this one.
            await asyncio.sleep(0)


def _chunks(messages: Sequence[BaseMessage]) -> Iterator[ChatGenerationChunk]:
    words = re.findall(r"\S+\s*", _answer(messages[-1].text))
    read = sum(len(message.text.split()) for message in messages)
    usage = UsageMetadata(input_tokens=read, output_tokens=len(words), total_tokens=read + len(words))
    for word in words[:-1]:
        yield ChatGenerationChunk(message=AIMessageChunk(content=word))
    yield ChatGenerationChunk(
        message=AIMessageChunk(
            content=words[-1],
            usage_metadata=usage,
            response_metadata={"finish_reason": "stop", "model_name": "built-in"},
            chunk_position="last",
        )
    )


def _answer(task: str) -> str:
    if "The editor asks:" in task:
        return "It keeps its state. It survives a crash. Begin with one graph, and let it run."
    if task.startswith("Write"):
        return "This is a first draft that says what the notes say, at some length, and then it stops."
    subject = task.rpartition(":")[2].strip()
    return f"{subject}: every step is written down before the next one begins."
