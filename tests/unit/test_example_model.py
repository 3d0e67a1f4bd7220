"""The example's model for OpenAI-compatible endpoints, against an endpoint of the test."""

import importlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

EXAMPLE = Path(__file__).parents[2] / "examples" / "agency"

WORDS = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in ("grüne ", "Welle")]
END = [
    {"model": "m-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}},
]


@contextmanager
def answering(lines: list[str], status: int = 200) -> Generator[tuple[str, list[dict[str, Any]]]]:
    """An endpoint that always answers the same; its base URL and the requests it got."""
    requests: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            requests.append({"path": self.path, "authorization": self.headers["authorization"], **body})
            self.send_response(status)
            self.end_headers()
            self.wfile.write("".join(f"{line}\n\n" for line in lines).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/", requests
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def model_class(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The model, imported as the example's folder is the project's."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    return importlib.import_module("agent.openai_compatible_model").OpenAICompatibleModel


def _model(model_class: Any, base_url: str) -> Any:
    return model_class(base_url=base_url, api_key=SecretStr("sk-1"), model="small")


def _events(*events: dict[str, Any]) -> list[str]:
    return [f"data: {json.dumps(event)}" for event in events]


async def test_an_answer_arrives_in_pieces_and_with_its_token_counts(model_class: Any) -> None:
    with answering([*_events(*WORDS, *END), "data: [DONE]"]) as (base_url, requests):
        model = _model(model_class, base_url)
        assert "grüne " in [chunk.content async for chunk in model.astream("Hallo")]
        message = await model.ainvoke("Hallo")
    assert message.content == "grüne Welle"
    assert message.usage_metadata["total_tokens"] == 7
    assert requests[0]["path"] == "/v1/chat/completions"
    assert requests[0]["authorization"] == "Bearer sk-1"
    assert requests[0]["messages"] == [{"role": "user", "content": "Hallo"}]


async def test_an_answer_that_breaks_off_is_no_answer(model_class: Any) -> None:
    with answering(_events(*WORDS)) as (base_url, _), pytest.raises(RuntimeError, match="before it was complete"):
        await _model(model_class, base_url).ainvoke("Hallo")


async def test_a_refusal_says_what_the_endpoint_said(model_class: Any) -> None:
    with answering(["wrong key"], status=401) as (base_url, _), pytest.raises(RuntimeError, match="401: wrong key"):
        await _model(model_class, base_url).ainvoke("Hallo")
