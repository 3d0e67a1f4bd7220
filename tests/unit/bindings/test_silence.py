"""Bindings that never answer, over stand-ins for the few JavaScript names that they use."""

import asyncio
import importlib
import json
import sys
from collections.abc import Callable, Coroutine
from types import ModuleType, SimpleNamespace
from typing import Any, TypeAlias

import pytest

from errors import Unavailable

Hint: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class Silent:
    """A binding, and the objects that it names: they take every call and answer none."""

    def __init__(self) -> None:
        self._binding = self

    def __getattr__(self, _name: str) -> Any:
        return lambda *_: asyncio.Event().wait()

    def getByName(self, _name: str) -> "Silent":  # noqa: N802 - JavaScript's name
        return self


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch) -> dict[str, Hint]:
    """Each call that only says "look at this row", of a binding that does not answer; given up after a moment."""
    names = {"JSON": SimpleNamespace(parse=json.loads), "Object": SimpleNamespace(fromEntries=dict)}
    monkeypatch.setitem(sys.modules, "js", javascript(**names, TextDecoderStream=None))
    monkeypatch.setitem(sys.modules, "workers", javascript(env=None))
    queues, objects, workflows = map(imported, ("bindings.queues", "bindings.thread_objects", "bindings.workflows"))
    for module in (queues, objects, workflows):
        monkeypatch.setattr(module, "HINT_SECONDS", 0.01)
    return {
        "a queue of runs": lambda: queues.RunQueueBinding(Silent()).send_batch([("thread", "run")]),
        "the queue of webhooks": lambda: queues.WebhookQueueBinding(Silent()).send_batch(["run"]),
        "waking an object": lambda: objects.ThreadObjectsBinding(Silent()).wake("thread"),
        "telling an object": lambda: objects.ThreadObjectsBinding(Silent()).state_updated("thread", "{}"),
        "starting a Workflow": lambda: workflows.RunWorkflowBinding(Silent()).start("thread", "run", 1),
    }


def javascript(**names: object) -> Any:
    module: Any = ModuleType("stand-in")
    module.__dict__.update(names)
    return module


def imported(name: str) -> Any:
    """A module with the stand-ins, which nobody else gets to see."""
    module = importlib.import_module(name)
    del sys.modules[name]
    return module


@pytest.mark.parametrize(
    "hint",
    ["a queue of runs", "the queue of webhooks", "waking an object", "telling an object", "starting a Workflow"],
)
async def test_a_hint_that_is_never_answered_is_given_up(hints: dict[str, Hint], hint: str) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable, match=r"no answer within 0\.01 s"):
            await hints[hint]()
