"""Streams at the JavaScript border, over stand-ins for the few JavaScript names that they use."""

import asyncio
import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


class Proxy:
    """A PyProxy: callable until it is destroyed, which is an error the second time."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.is_alive = True

    def destroy(self) -> None:
        assert self.is_alive, "destroyed twice"
        self.is_alive = False


class Controller:
    """What JavaScript hands to `pull`."""

    def __init__(self) -> None:
        self.chunks: list[str] = []
        self.is_open = True

    def enqueue(self, chunk: str) -> None:
        self.chunks.append(chunk)

    def close(self) -> None:
        self.is_open = False


def javascript(**names: object) -> Any:
    module: Any = ModuleType("stand-in")
    module.__dict__.update(names)
    return module


@pytest.fixture
def stream_response(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Proxy]]]:
    """`bindings.http.stream_response`; it returns what JavaScript would call."""
    same = SimpleNamespace(new=lambda value=None, options=None: value)
    encoder = SimpleNamespace(new=lambda: SimpleNamespace(encode=lambda chunk: chunk))
    names = {"Object": SimpleNamespace(fromEntries=dict), "ReadableStream": same, "Response": same}
    monkeypatch.setitem(sys.modules, "js", javascript(**names, TextEncoder=encoder, WritableStream=same))
    monkeypatch.setitem(sys.modules, "pyodide", javascript())
    to_js = lambda value, **_: dict(value)  # noqa: E731
    monkeypatch.setitem(sys.modules, "pyodide.ffi", javascript(create_proxy=Proxy, to_js=to_js))
    yield importlib.import_module("bindings.http").stream_response
    del sys.modules["bindings.http"]


def alive(source: dict[str, Proxy]) -> list[bool]:
    return [proxy.is_alive for proxy in source.values()]


async def test_a_stream_that_ends_gives_its_proxies_back(stream_response: Callable[..., dict[str, Proxy]]) -> None:
    chunks = iter(["a", None])

    async def next_chunk() -> str | None:
        return next(chunks)

    source, controller = stream_response(next_chunk, lambda: None, {}), Controller()
    await source["pull"].function(controller)
    assert alive(source) == [True, True]
    await source["pull"].function(controller)
    await asyncio.sleep(0)
    assert (controller.chunks, controller.is_open, alive(source)) == (["a"], False, [False, False])


async def test_an_error_reaches_the_stream_and_gives_its_proxies_back(
    stream_response: Callable[..., dict[str, Proxy]],
) -> None:
    async def next_chunk() -> str | None:
        raise ValueError("a frame that cannot be read")

    source = stream_response(next_chunk, lambda: None, {})
    with pytest.raises(ValueError, match="a frame"):
        await source["pull"].function(Controller())
    await asyncio.sleep(0)
    assert alive(source) == [False, False]


async def test_a_client_that_leaves_while_a_chunk_is_on_the_way_is_noticed_once(
    stream_response: Callable[..., dict[str, Proxy]],
) -> None:
    left, ended = list[bool](), asyncio.Event()

    async def next_chunk() -> str | None:
        await ended.wait()
        return None

    source = stream_response(next_chunk, lambda: left.append(True), {})
    pulling = asyncio.ensure_future(source["pull"].function(Controller()))
    await asyncio.sleep(0)
    source["cancel"].function()
    ended.set()
    await pulling
    await asyncio.sleep(0)
    assert (left, alive(source)) == ([True], [False, False])
