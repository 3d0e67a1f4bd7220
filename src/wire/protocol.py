"""The thread streaming protocol on the wire: command envelopes, event subscriptions and their refusals."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from compact_json import compact_json
from errors import BadRequest, SuperstepError
from wire.bodies import JsonObject
from wire.idempotency import MAX_KEY_CHARS, parse_key

#: The part of `ErrorCode` in `langchain_protocol.protocol` that is used here.
ErrorCode: TypeAlias = Literal[
    "invalid_argument", "unknown_command", "unknown_error", "no_such_run", "no_such_interrupt", "no_such_subscription"
]

CHANNELS: Final = ("values", "updates", "messages", "tools", "custom", "lifecycle", "input", "tasks")

#: Accepted as a channel, as on the official server, but no event belongs to it.
_SILENT_CHANNELS: Final = ("checkpoints",)

ENVELOPE: Final = "Protocol commands must include an integer id and string method."


_NAMED_CUSTOM: Final = re.compile(r"custom:.+", re.DOTALL)
_NAMESPACES: Final = TypeAdapter(list[list[str]])


class CommandRefused(SuperstepError):
    """A command that cannot be carried out; its response is an error with this code."""

    status = 400

    def __init__(self, code: ErrorCode, message: str, command_id: Any = None) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.command_id = command_id


class CommandMessage(BaseModel):
    """A command in its envelope."""

    id: int
    method: str
    params: JsonObject | None = None
    idempotency_key: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_KEY_CHARS,
        description="The same as the header `Idempotency-Key`, which a command over a WebSocket cannot have.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a client."""

    id: int
    method: str
    params: JsonObject
    #: The same as the header `Idempotency-Key`, which a command over a WebSocket cannot have.
    idempotency_key: str | None


def parse_command(body: bytes | str) -> Command:
    """Parse a command's envelope. Raises ValueError if it is not JSON, CommandRefused if it is another envelope."""
    envelope = read_json(body)
    given = cast(JsonObject, envelope) if isinstance(envelope, dict) else {}
    command_id, method, params = given.get("id"), given.get("method"), given.get("params")
    if type(command_id) is not int or not isinstance(method, str):
        raise CommandRefused("invalid_argument", ENVELOPE, command_id)
    return Command(
        id=command_id,
        method=method,
        params=cast(JsonObject, params) if isinstance(params, dict) else {},
        idempotency_key=_key(given, command_id),
    )


def _key(given: JsonObject, command_id: int) -> str | None:
    key = given.get("idempotency_key")
    try:
        return None if key is None else parse_key(key)
    except ValueError as error:
        raise CommandRefused("invalid_argument", f"idempotency_key: {error}", command_id) from error


def read_json(body: bytes | str) -> Any:
    """Parse JSON strictly, without NaN and Infinity. Raises ValueError."""
    try:
        return json.loads(body, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def success(command_id: int, result: JsonObject, applied_through_seq: int = 0) -> str:
    """The response to a command that succeeded."""
    meta = {"applied_through_seq": applied_through_seq}
    return compact_json({"type": "success", "id": command_id, "result": result, "meta": meta})


def failure(command_id: Any, code: ErrorCode, message: str) -> str:
    """The response to a command that failed."""
    return compact_json({"type": "error", "id": command_id, "error": code, "message": message})


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribing:
    """The events that a client subscribes to.

    Only `channels` is validated; other parameters of a wrong form are ignored.
    """

    channels: tuple[str, ...]
    namespaces: tuple[tuple[str, ...], ...] | None
    depth: int | None
    since: int

    @classmethod
    def of(cls, given: JsonObject) -> "Subscribing":
        """Parse the parameters of a subscription. Raises BadRequest."""
        channels = _checked_channels(given.get("channels"))
        since, depth = given.get("since"), given.get("depth")
        return cls(
            channels=tuple(dict.fromkeys(channels)),
            namespaces=_namespaces(given.get("namespaces")),
            depth=depth if type(depth) is int and depth >= 0 else None,
            since=since if type(since) is int and 0 <= since < 2**53 else 0,
        )

    @classmethod
    def of_command(cls, command: Command) -> "Subscribing":
        """Parse the command `subscription.subscribe`. Raises CommandRefused."""
        try:
            return cls.of(command.params)
        except BadRequest as error:
            raise CommandRefused("invalid_argument", f"{command.method}: {error}") from error


def _checked_channels(given: Any) -> list[str]:
    channels = cast(list[Any], given) if isinstance(given, list) else []
    if not channels:
        raise BadRequest("channels is required and must be a non-empty array")
    if unknown := [channel for channel in channels if not _is_channel(channel)]:
        raise BadRequest(
            f"channels contains unsupported entries: {', '.join(str(channel)[:100] for channel in unknown[:10])}. "
            f"Allowed: {', '.join(CHANNELS)}, or any `custom:<name>`."
        )
    return channels


def _is_channel(channel: Any) -> bool:
    if not isinstance(channel, str):
        return False
    return channel in CHANNELS or channel in _SILENT_CHANNELS or bool(_NAMED_CUSTOM.fullmatch(channel))


def _namespaces(given: Any) -> tuple[tuple[str, ...], ...] | None:
    try:
        return tuple(map(tuple, _NAMESPACES.validate_python(given, strict=True)))
    except ValidationError:
        return None
