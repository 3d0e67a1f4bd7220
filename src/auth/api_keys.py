"""Authentication without any code: the secret `API_KEYS` lists who may call.

A name is a tenant: all keys of one name see the same rows, and no others. The rows carry the name in their metadata,
and store namespaces begin with it. A key without a name is the operator's: it sees everything and marks nothing.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from auth.gatekeeper import Event
from auth.principal import Principal
from auth.user import User
from errors import AccessRefused
from http_messages import HttpRequest
from tables.access import EVERYTHING, Access

#: The metadata field in which rows carry the name of their owner's keys.
OWNER_KEY: Final = "api_key_name"

#: The name of nameless keys.
OPERATOR: Final = "*"

#: A shorter key could be guessed.
MIN_KEY_CHARS: Final = 16

#: A name is also the first label of namespaces, which may not contain periods.
_NAME: Final = re.compile(r"\*|[\w@-]{1,100}", re.ASCII)
_FORM: Final = 'API_KEYS must be `key`, `name:key, other:key`, or JSON such as {"name": ["key", "next key"]}'


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, as a digest only."""

    name: str
    digest: bytes


class ApiKeys:
    """Admits callers with a known key, each to the rows of its name."""

    is_open = False

    def __init__(self, keys: tuple[ApiKey, ...]) -> None:
        self._keys = keys

    async def authenticate(self, request: HttpRequest, /) -> Principal:
        """See `Gatekeeper`."""
        name = self.name_of(request)
        if name is None:
            raise AccessRefused(
                401,
                "Missing or unknown API key: send it as `x-api-key`, or as `Authorization: Bearer …`.",
                {"www-authenticate": "Bearer"},
            )
        return Principal.of(User({"identity": name}))

    def name_of(self, request: HttpRequest) -> str | None:
        """The name of the key in a request; None if the key is unknown. Takes the same time for all keys."""
        digest = _digest(_sent(request.headers.get("x-api-key"), request.headers.get("authorization")))
        names = [key.name for key in self._keys if hmac.compare_digest(key.digest, digest)]
        return names[0] if names else None

    async def authorize(self, principal: Principal, event: Event, value: dict[str, Any], /) -> Access:
        """See `Gatekeeper`."""
        name = principal.identity
        if name == OPERATOR:
            return EVERYTHING
        resource, _, action = event.partition(".")
        if resource == "store":
            value["namespace"] = _own_namespace(name, value.get("namespace"))
        elif action in ("create", "create_run", "update"):
            value["metadata"] = {**(value.get("metadata") or {}), OWNER_KEY: name}
        reads_assistants = event in ("assistants.read", "assistants.search")
        return Access({OWNER_KEY: name}, {}, with_system=reads_assistants)


def parse(text: str) -> tuple[ApiKey, ...]:
    """Parse the secret; ValueError says what is wrong with it, without any key."""
    keys = tuple(_keys(text.strip()))
    if len({key.digest for key in keys}) != len(keys):
        raise ValueError("API_KEYS lists a key twice")
    return keys


def _keys(text: str) -> Iterator[ApiKey]:
    for name, key in _pairs(text):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{_FORM}; {name!r} is no name")
        if len(key) < MIN_KEY_CHARS:
            raise ValueError(f"API_KEYS: a key of {name!r} is shorter than {MIN_KEY_CHARS} characters")
        yield ApiKey(name, _digest(key))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    if text.startswith("{"):
        yield from _json_pairs(text)
        return
    for entry in filter(None, map(str.strip, text.replace("\n", ",").split(","))):
        name, colon, key = entry.partition(":")
        yield (name.strip(), key.strip()) if colon else (OPERATOR, name)


def _json_pairs(text: str) -> Iterator[tuple[str, str]]:
    try:
        document = cast(dict[str, Any], json.loads(text))
    except ValueError:
        raise ValueError(_FORM) from None
    for name, keys in document.items():
        for key in cast(list[Any], keys) if isinstance(keys, list) else [keys]:
            if not isinstance(key, str):
                raise ValueError(_FORM)  # noqa: TRY004 - the setting is wrong, not the program
            yield name, key


def _sent(key: str | None, authorization: str | None) -> str:
    if key:
        return key
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()


def _own_namespace(name: str, namespace: Any) -> tuple[str, ...]:
    asked = tuple(namespace or ())
    return asked if asked[:1] == (name,) else (name, *asked)
