"""WebSockets of the streaming protocol: subscriptions, commands, and what must survive hibernation."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from streaming.events import Delivery, Event, Superstep
from streaming.fanout import RunStreams
from streaming.protocol_sockets import Connection, ProtocolSockets
from tests.support.object_storage import SqliteObjectStorage

ALL = ["values", "lifecycle", "input"]


@dataclass
class Client:
    """The server's end of a socket, and what went over it."""

    kept: str
    sent: list[Any] = field(default_factory=list)

    def send(self, text: str) -> None:
        self.sent.append(json.loads(text))

    def attach(self, text: str) -> None:
        self.kept = text

    def attachment(self) -> str:
        return self.kept

    def take(self) -> list[Any]:
        """What was sent since the last look."""
        sent, self.sent = self.sent, []
        return sent


class Object:
    """A thread object with one client; `sleep` is what happens to an idle one."""

    def __init__(self, *, is_hidden: bool = False) -> None:
        self.storage = SqliteObjectStorage()
        self.client = Client(Connection(handshake={"headers": {"x-api-key": "k"}}, is_hidden=is_hidden).text())
        self.carried_out: list[Any] = []
        self.is_visible = True
        self.sleep()

    def sleep(self) -> None:
        self.streams = RunStreams(self.storage, lambda: 1000)
        self.sockets = ProtocolSockets(self.streams.log, lambda: [self.client], self._carry_out)
        self.streams.log.on_change = self.sockets.flush

    async def _carry_out(self, handshake: Any, command: str) -> tuple[bool, dict[str, Any]]:
        self.carried_out.append((handshake, json.loads(command)))
        await asyncio.sleep(0)
        answer = {"type": "success", "id": json.loads(command)["id"], "result": {"run_id": "r"}}
        return self.is_visible, {**answer, "meta": {"applied_through_seq": 0, "idempotent_replayed": True}}

    async def ask(self, method: str, **params: Any) -> Any:
        """Send a command; its answer. Events that came before it stay to be taken."""
        await self.sockets.message(self.client, json.dumps({"id": 1, "method": method, "params": params}))
        return self.client.sent.pop()

    def run(self, run_id: str) -> None:
        stream = self.streams.open(run_id)
        stream.begin(1, "seq")
        stream.emit(Event("values", f'"{run_id}"', Superstep("", 1, 1), Delivery.LIVE))
        stream.finish("{}", "completed")
        self.streams.close(run_id)


def shown(events: list[Any]) -> list[Any]:
    return [
        event["params"]["data"].get("event") if event["method"] == "lifecycle" else event["params"]["data"]
        for event in events
    ]


async def test_what_is_stored_comes_first_then_what_happens() -> None:
    thread = Object()
    thread.run("one")
    answer = await thread.ask("subscription.subscribe", channels=ALL)
    assert answer["result"]["replayed_events"] == 3
    assert answer["meta"] == {"applied_through_seq": 0}
    assert shown(thread.client.take()) == ["running", "one", "completed"]
    thread.run("two")
    assert shown(thread.client.take()) == ["running", "two", "completed"]


async def test_a_sleeping_object_forgets_nothing() -> None:
    thread = Object()
    thread.run("one")
    await thread.ask("subscription.subscribe", channels=["values"])
    thread.client.take()
    for name in ("two", "three"):
        thread.sleep()
        thread.run(name)
        assert shown(thread.client.take()) == [name]


async def test_subscriptions_add_up_and_an_event_that_several_want_comes_once() -> None:
    thread = Object()
    first = await thread.ask("subscription.subscribe", channels=["lifecycle"])
    await thread.ask("subscription.subscribe", channels=ALL)
    thread.run("one")
    assert shown(thread.client.take()) == ["running", "one", "completed"]
    again = await thread.ask("subscription.subscribe", channels=["values"], since=100)
    assert (again["result"]["replayed_events"], again["meta"]["applied_through_seq"]) == (1, 3)
    assert shown(thread.client.take()) == ["one"]
    gone = await thread.ask("subscription.unsubscribe", subscription_id=first["result"]["subscription_id"])
    assert gone["result"] == {}
    assert thread.carried_out == []


async def test_events_during_a_long_replay_are_neither_lost_nor_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = Object()
    for number in range(150):
        thread.run(f"stored {number}")
    thread.sleep()
    subscribing = asyncio.create_task(thread.ask("subscription.subscribe", channels=["values"]))
    await asyncio.sleep(0)
    thread.run("live")
    await subscribing
    assert shown(thread.client.take()) == [*(f"stored {number}" for number in range(150)), "live"]


async def test_without_a_subscription_nothing_comes() -> None:
    thread = Object()
    thread.run("one")
    assert thread.client.take() == []


async def test_nothing_of_a_hidden_thread_comes_before_the_client_has_a_run_on_it() -> None:
    thread = Object(is_hidden=True)
    thread.run("somebody's")
    answer = await thread.ask("subscription.subscribe", channels=ALL)
    assert answer["result"]["replayed_events"] == 0
    thread.run("somebody's too")
    thread.is_visible = False
    await thread.ask("run.start", assistant_id="seq")
    assert thread.client.take() == []
    thread.is_visible = True
    await thread.ask("run.start", assistant_id="seq")
    assert shown(thread.client.take())[1] == "somebody's"


async def test_commands_are_carried_out_by_who_opened_the_socket() -> None:
    thread = Object()
    await thread.ask("subscription.subscribe", channels=ALL)
    thread.run("one")
    answer = await thread.ask("run.start", assistant_id="seq")
    meta = {"applied_through_seq": 3, "idempotent_replayed": True}
    assert answer == {"type": "success", "id": 1, "result": {"run_id": "r"}, "meta": meta}
    assert thread.carried_out == [
        ({"headers": {"x-api-key": "k"}}, {"id": 1, "method": "run.start", "params": {"assistant_id": "seq"}})
    ]


async def test_the_agent_is_the_one_of_the_last_run_the_client_heard_of() -> None:
    thread = Object()
    await thread.ask("agent.getTree")
    assert [command["method"] for _, command in thread.carried_out] == ["agent.getTree"]
    await thread.ask("subscription.subscribe", channels=["values"])
    thread.run("one")
    thread.sleep()
    answer = await thread.ask("agent.getTree")
    assert answer["result"] == {"tree": {"namespace": [], "status": "completed", "graph_name": "seq"}}


@pytest.mark.parametrize(
    ("text", "echoed"), [("{bad", None), ("[1]", None), ('{"id":"x","method":"a"}', "x"), ("", None)]
)
async def test_what_is_no_command_is_refused(text: str, echoed: Any) -> None:
    thread = Object()
    await thread.sockets.message(thread.client, text)
    [answer] = thread.client.take()
    assert (answer["type"], answer["id"], answer["error"]) == ("error", echoed, "invalid_argument")


@pytest.mark.parametrize("channels", [["bogus"], [], None, ["values", "custom:" + "x" * 20_000]])
async def test_a_subscription_that_cannot_be_kept_is_refused(channels: Any) -> None:
    thread = Object()
    before = thread.client.kept
    answer = await thread.ask("subscription.subscribe", channels=channels)
    assert answer["error"] == "invalid_argument"
    assert thread.client.kept == before
