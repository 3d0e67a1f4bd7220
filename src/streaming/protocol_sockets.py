"""The thread streaming protocol over WebSockets that outlive the object that serves them.

When an object is idle, it is put to sleep while its sockets stay open. What its next incarnation must know of a socket
is attached to that socket: who connected, what they subscribed to, and up to where they have everything. So nothing
here may wait for anything between two messages or events.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Final, Protocol, TypeAlias

from ids import random_id
from streaming.events import START, EventId, Frame
from streaming.json_text import dumps
from streaming.protocol_view import ProtocolView, Wanted
from streaming.thread_log import ThreadLog
from wire import protocol
from wire.bodies import JsonObject
from wire.protocol import Command, CommandRefused, Subscribing

#: More than this cannot be attached to a socket (the runtime's limit is 16,384 bytes).
MAX_ATTACHMENT_CHARACTERS: Final = 12_000


class Socket(Protocol):
    """One WebSocket of a client."""

    def send(self, text: str) -> None:
        """Send a message; does nothing when the client has left."""
        ...

    def attach(self, text: str) -> None:
        """Keep a text with the socket, for this incarnation of the object and later ones."""
        ...

    def attachment(self) -> str:
        """What was attached last."""
        ...


#: Carries out a command as if it had come by HTTP, from the client with this handshake; whether the client may see the
#: thread now, and the answer.
CarryOut: TypeAlias = Callable[[JsonObject, str], Awaitable[tuple[bool, JsonObject]]]


@dataclass(slots=True)
class Connection:
    """What is attached to a socket."""

    #: Headers and query of the request that opened it: each command is authenticated by them.
    handshake: JsonObject
    #: Nothing of the thread may be shown: it did not exist yet, or it is somebody else's.
    is_hidden: bool
    subscriptions: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    #: Up to here, the socket has been sent all entries that it subscribed to.
    position: EventId = START
    #: The greatest `seq` it was sent.
    seq: int = 0
    #: The last run the socket heard of: `{"namespace", "status", "graph_name"}`.
    tree: JsonObject | None = None

    @classmethod
    def of(cls, socket: Socket) -> "Connection":
        """The connection of a socket."""
        kept: JsonObject = json.loads(socket.attachment())
        kept["position"] = EventId(*kept["position"])
        return cls(**kept)

    def text(self) -> str:
        """What to attach."""
        return json.dumps(asdict(self))


class ProtocolSockets:
    """All sockets of a thread object."""

    def __init__(self, log: ThreadLog, sockets: Callable[[], Iterable[Socket]], carry_out: CarryOut) -> None:
        self._log = log
        self._view = ProtocolView(log)
        self._sockets = sockets
        self._carry_out = carry_out

    def flush(self) -> None:
        """Send every socket what it has not been sent yet."""
        for socket in self._sockets():
            connection = Connection.of(socket)
            if connection.subscriptions and not connection.is_hidden:
                self._catch_up(socket, connection)

    def _catch_up(self, socket: Socket, connection: Connection) -> None:
        wanted = [Wanted.of(subscription) for subscription in connection.subscriptions.values()]
        while frames := self._log.read(connection.position):
            self._send(socket, connection, frames, wanted)
            connection.position = frames[-1].id
        socket.attach(connection.text())

    def _send(self, socket: Socket, connection: Connection, frames: list[Frame], wanted: list[Wanted]) -> int:
        """Send the wanted events of some entries; how many they were."""
        sent = 0
        for frame in frames:
            for event in self._view.wanted(frame, *wanted):
                socket.send(event.text())
                connection.seq = max(connection.seq, event.seq)
                sent += 1
            connection.tree = self._view.tree(frame) or connection.tree
        return sent

    async def message(self, socket: Socket, text: str) -> None:
        """Answer one message of a client."""
        try:
            command = protocol.parse_command(text)
        except ValueError:
            socket.send(protocol.failure(None, "invalid_argument", "Protocol commands must be valid JSON."))
            return
        except CommandRefused as refused:
            socket.send(protocol.failure(refused.command_id, refused.code, str(refused)))
            return
        try:
            answer = await self._answer(socket, command, text)
        except CommandRefused as refused:
            answer = protocol.failure(command.id, refused.code, str(refused))
        socket.send(answer)

    async def _answer(self, socket: Socket, command: Command, text: str) -> str:
        connection = Connection.of(socket)
        match command.method:
            case "subscription.subscribe":
                result = await self._subscribe(socket, connection, Subscribing.of_command(command))
                return protocol.success(command.id, result, connection.seq)
            case "subscription.unsubscribe" if command.params.get("subscription_id") in connection.subscriptions:
                del connection.subscriptions[command.params["subscription_id"]]
                socket.attach(connection.text())
                return protocol.success(command.id, {}, connection.seq)
            case "agent.getTree" if connection.tree:
                return protocol.success(command.id, {"tree": connection.tree}, connection.seq)
            case _:
                return await self._carried_out(socket, connection, text)

    async def _carried_out(self, socket: Socket, connection: Connection, text: str) -> str:
        is_visible, answer = await self._carry_out(connection.handshake, text)
        if connection.is_hidden and is_visible:
            self._show(socket)
        if answer["type"] == "success":
            answer["meta"] |= {"applied_through_seq": connection.seq}
        return dumps(answer)

    async def _subscribe(self, socket: Socket, before: Connection, asked: Subscribing) -> JsonObject:
        """Replay all that is stored, then go on live. `since` is ignored, because clients recognise repeated events."""
        subscription_id, subscription = random_id(), {**asdict(asked), "since": 0}
        before.subscriptions[subscription_id] = subscription
        if len(before.text()) > MAX_ATTACHMENT_CHARACTERS:
            raise CommandRefused("invalid_argument", "subscription.subscribe: this connection has too many of them.")
        replay = Connection(handshake={}, is_hidden=before.is_hidden)
        replayed = 0
        while not replay.is_hidden and (frames := self._log.read(replay.position)):
            replayed += self._send(socket, replay, frames, [Wanted.of(subscription)])
            replay.position = frames[-1].id
            await asyncio.sleep(0)
        # There is no `await` after the last look at the log, so that no event is missed or sent twice.
        connection = Connection.of(socket)
        connection.subscriptions[subscription_id] = subscription
        connection.position = max(connection.position, replay.position)
        connection.seq = max(connection.seq, replay.seq)
        connection.tree = replay.tree
        socket.attach(connection.text())
        return {"subscription_id": subscription_id, "replayed_events": replayed}

    def _show(self, socket: Socket) -> None:
        """Show a client a thread that did not exist, or was not visible to it, when it connected."""
        connection = Connection.of(socket)
        connection.is_hidden = False
        self._catch_up(socket, connection)
