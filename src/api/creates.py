"""Operations that create something: with an `Idempotency-Key`, a retry is answered with what the first request made.

After the IETF draft "The Idempotency-Key HTTP Header Field". The key is a row of the very transaction that creates, and
a key that is there already fails that transaction. So whatever a create fails with, its key says whether an earlier
request, or this one although its answer was lost, made what it asks for.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeAlias, TypeVar

from api.context import Call
from compact_json import sorted_json
from errors import AccessRefused, BadRequest, NotFound, SuperstepError, Unprocessable
from http_messages import Reply
from tables import idempotency_keys
from tables.idempotency_keys import IdempotencyKey, Remembered
from wire.idempotency import parse_key

HEADER: Final = "idempotency-key"
#: Marks the answer to a retry, as Stripe's does.
REPLAYED: Final = "idempotent-replayed"

MadeT = TypeVar("MadeT")

#: Creates; with `call.key`, `idempotency_keys` remembers it in the same batch.
Make: TypeAlias = Callable[[Call[Any, Any]], Awaitable[MadeT]]
#: What was made, by what is remembered of it; None when it is gone.
Find: TypeAlias = Callable[[Call[Any, Any], Any], Awaitable[MadeT | None]]


@dataclass(frozen=True, slots=True)
class Create(Generic[MadeT]):
    """The handler of an operation that creates."""

    make: Make[MadeT]
    find: Find[MadeT]
    answer: Callable[[Call[Any, Any], MadeT], Awaitable[Reply]]

    async def __call__(self, call: Call[Any, Any]) -> Reply:
        """Answer a request, the first one or a retry."""
        return await self.answer(call, await once(call, self.make, self.find))


async def once(call: Call[Any, Any], make: Make[MadeT], find: Find[MadeT]) -> MadeT:
    """What a request makes, or what an earlier one with its key has made: then its answer is marked as a replay."""
    call = replace(call, key=_key(call))
    try:
        return await make(call)
    except AccessRefused:
        raise
    except SuperstepError as error:
        made = await _made_before(call, find, error)
    call.reply_headers[REPLAYED] = "true"
    return made


async def _made_before(call: Call[Any, Any], find: Find[MadeT], failure: SuperstepError) -> MadeT:
    """What was made with the request's key; raises `failure` if nothing was."""
    first = call.key and await idempotency_keys.get(call.services.db, call.key)
    if not call.key or not first:
        raise failure
    if not _is_of(first, call):
        raise Unprocessable(
            "Idempotency-Key: this key was used for another request (the path or the body differs). "
            "Send the first request again unchanged, or a new key."
        ) from failure
    made = await find(call, first.made)
    if made is None:
        raise NotFound(
            "Idempotency-Key: what the first request with this key created has been deleted since. "
            "Send a new key to create another."
        ) from failure
    return made


def _key(call: Call[Any, Any]) -> IdempotencyKey | None:
    given = call.request.headers.get(HEADER)
    if given is None:
        return None
    try:
        key = parse_key(given)
    except ValueError as error:
        raise BadRequest(f"Idempotency-Key: {error}") from error
    says = call.request.body if call.says is None else sorted_json(call.says)
    return IdempotencyKey(
        digest=hashlib.sha256(f"{key}\n{call.principal.identity}".encode(errors="replace")).hexdigest(),
        fingerprint=_fingerprint(call, says),
        lives_seconds=call.services.settings.idempotency_key_seconds,
    )


def _is_of(first: Remembered, call: Call[Any, Any]) -> bool:
    """Whether the key was stored for this same request; earlier releases always hashed the whole body."""
    return first.fingerprint in (call.key and call.key.fingerprint, _fingerprint(call, call.request.body))


def _fingerprint(call: Call[Any, Any], says: bytes | str) -> str:
    place = f"{call.request.method} {call.request.path}\n".encode(errors="replace")
    said = says if isinstance(says, bytes) else says.encode(errors="surrogatepass")
    return hashlib.sha256(place + said).hexdigest()
