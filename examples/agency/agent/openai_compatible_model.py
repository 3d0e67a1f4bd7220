"""Chat completions over HTTP with streamed tokens, for OpenAI and everything that speaks like it.

`langchain-openai` needs tiktoken, for which no WebAssembly package exists; text in and text out needs nothing of it.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import SecretStr

#: From the request to the last token.
TIMEOUT_SECONDS = 120.0


class OpenAICompatibleModel(BaseChatModel):
    """`POST {base_url}/chat/completions` with `stream: true`. Only the async methods exist."""

    base_url: str
    api_key: SecretStr
    model: str

    @property
    def _llm_type(self) -> str:
        return "openai-compatible"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("this model answers only when awaited: use `ainvoke` or `astream`")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await agenerate_from_stream(self._astream(messages, stop, run_manager, **kwargs))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for event in self._events(messages, stop):
            chunk = _chunk(event)
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _events(self, messages: list[BaseMessage], stop: list[str] | None) -> AsyncIterator[dict[str, Any]]:
        body = {
            "model": self.model,
            "messages": convert_to_openai_messages(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            **({"stop": stop} if stop else {}),
        }
        url = f"{self.base_url.rstrip('/')}/chat/completions"
        headers = {"authorization": f"Bearer {self.api_key.get_secret_value()}"}
        async with (
            httpx2.AsyncClient(timeout=TIMEOUT_SECONDS) as client,
            client.stream("POST", url, json=body, headers=headers) as response,
        ):
            if response.is_error:
                answer = (await response.aread()).decode(errors="replace")
                raise RuntimeError(f"{url} answered {response.status_code}: {answer[:500]}")
            async for line in response.aiter_lines():
                data = line.removeprefix("data:").strip()
                if data == "[DONE]":
                    return
                if line.startswith("data:"):
                    yield json.loads(data)
        raise RuntimeError(f"{url}: the answer ended before it was complete")


def _chunk(event: dict[str, Any]) -> ChatGenerationChunk:
    """One streamed event; the last ones bring the reason for the end and the token counts, without text."""
    choice = (event.get("choices") or [{}])[0]
    reason = choice.get("finish_reason")
    usage = event.get("usage")
    return ChatGenerationChunk(
        message=AIMessageChunk(
            content=choice.get("delta", {}).get("content") or "",
            response_metadata={"finish_reason": reason, "model_name": event.get("model")} if reason else {},
            usage_metadata=_usage(usage) if usage else None,
        )
    )


def _usage(usage: dict[str, int]) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=usage["prompt_tokens"],
        output_tokens=usage["completion_tokens"],
        total_tokens=usage["total_tokens"],
    )
