"""Operations that create something: with an `Idempotency-Key`, a retry is answered with what the first request made.

After the IETF draft "The Idempotency-Key HTTP Header Field". The key is a row of the very transaction that creates, and
a key that is there already fails that transaction. So whatever a create fails with, its key says whether an earlier
request, or this one although its answer was lost, made what it asks for.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeAlias, TypeVar

from api.context import Call
from errors import AccessRefused, BadRequest, NotFound, SuperstepError, Unprocessable
from http_messages import HttpRequest, Reply
from tables import idempotency_keys
from tables.idempotency_keys import IdempotencyKey

HEADER: Final = "idempotency-key"
#: Marks the answer to a retry, as Stripe's does.
REPLAYED: Final = "idempotent-replayed"

MAX_KEY_CHARS: Final = 255
_KEY: Final = re.compile(f"[\x20-\x7e]{{1,{MAX_KEY_CHARS}}}")

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
        made, is_replay = await once(call, self.make, self.find)
        reply = await self.answer(call, made)
        return replace(reply, headers={**reply.headers, REPLAYED: "true"}) if is_replay else reply


async def once(call: Call[Any, Any], make: Make[MadeT], find: Find[MadeT]) -> tuple[MadeT, bool]:
    """What a request makes, or an earlier one with its key has made; and whether it was an earlier one."""
    call = replace(call, key=_key(call))
    try:
        return await make(call), False
    except AccessRefused:
        raise
    except SuperstepError as error:
        return await _made_before(call, find, error), True


async def _made_before(call: Call[Any, Any], find: Find[MadeT], failure: SuperstepError) -> MadeT:
    """What was made with the request's key; raises `failure` if nothing was."""
    first = call.key and await idempotency_keys.get(call.services.db, call.key)
    if not call.key or not first:
        raise failure
    if first.fingerprint != call.key.fingerprint:
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
    request = call.request
    given = request.headers.get(HEADER)
    if given is None:
        return None
    if not _KEY.fullmatch(given.strip()):
        raise BadRequest(f"Idempotency-Key: must be 1 to {MAX_KEY_CHARS} printable ASCII characters, such as a UUID")
    return IdempotencyKey(
        digest=hashlib.sha256(f"{given.strip()}\n{call.principal.identity}".encode(errors="replace")).hexdigest(),
        fingerprint=_fingerprint(request),
        lives_seconds=call.services.settings.idempotency_key_seconds,
    )


def _fingerprint(request: HttpRequest) -> str:
    body = request.body if isinstance(request.body, bytes) else request.body.encode(errors="surrogatepass")
    return hashlib.sha256(f"{request.method} {request.path}\n".encode(errors="replace") + body).hexdigest()
