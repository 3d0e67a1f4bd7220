"""A project's `langgraph_sdk.Auth`: the arguments of its handlers, and the meaning of their answers."""

from dataclasses import dataclass
from typing import Any

import pytest
from langgraph_sdk import Auth

from auth.handlers import Handlers
from auth.principal import Principal
from auth.user import User
from errors import AccessRefused
from http_messages import HttpRequest
from project_config.sections import AuthCache
from tables.access import EVERYTHING, Access

REQUEST = HttpRequest(
    "POST", "/threads/a%20b", [("q", "1")], {"authorization": "Bearer t", "x-tenant": "acme"}, b'{"x": 1}'
)
ALICE = Principal.of(User({"identity": "alice", "permissions": ["read"], "org": "acme"}))


def letting_in(result: Any) -> Auth:
    auth = Auth()

    @auth.authenticate
    async def authenticate() -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    return auth


async def test_authenticate_gets_what_it_declares() -> None:
    auth = Auth()
    seen: dict[str, Any] = {}

    @auth.authenticate
    async def authenticate(
        request: Any,
        body: Any,
        user: Any,
        path: Any,
        method: Any,
        scopes: Any,
        path_params: Any,
        query_params: Any,
        headers: Any,
        authorization: Any,
        optional: Any = "own default",
    ) -> str:
        seen.update(locals())
        seen["json"] = await request.json()
        return "alice"

    await Handlers(auth).authenticate(REQUEST)
    request = seen.pop("request")
    assert {name: value for name, value in seen.items() if name != "seen"} == {
        "body": {"x": 1},
        "user": None,
        "path": "/threads/a b",
        "method": "POST",
        "scopes": [],
        "path_params": {},
        "query_params": {"q": "1"},
        "headers": {b"authorization": b"Bearer t", b"x-tenant": b"acme"},
        "authorization": "Bearer t",
        "optional": "own default",
        "json": {"x": 1},
    }
    assert (request.headers["X-Tenant"], request.url.path, request.query_params) == ("acme", "/threads/a b", {"q": "1"})
    assert await request.body() == b'{"x": 1}'


def test_a_parameter_that_no_server_gives_is_an_error_at_start() -> None:
    auth = Auth()

    @auth.authenticate
    async def authenticate(token: str) -> str:
        return token

    with pytest.raises(ValueError, match="there is no 'token' to give it"):
        Handlers(auth)


def test_handlers_without_authenticate_are_an_error_at_start() -> None:
    with pytest.raises(ValueError, match="nobody could be let in"):
        Handlers(Auth())


async def test_a_synchronous_authenticate_is_called_too() -> None:
    auth = Auth()
    auth.authenticate(lambda authorization: authorization or "nobody")
    assert (await Handlers(auth).authenticate(REQUEST)).identity == "Bearer t"


@dataclass
class OrmUser:
    identity: str
    email: str

    @property
    def permissions(self) -> list[str]:
        return ["p"]


@pytest.mark.parametrize(
    ("result", "user"),
    [
        ("alice", {"identity": "alice", "is_authenticated": True, "display_name": "alice"}),
        (
            {"identity": "alice", "display_name": "Alice", "permissions": ["p"], "org": 1},
            {"identity": "alice", "is_authenticated": True, "display_name": "Alice", "permissions": ["p"], "org": 1},
        ),
        (
            OrmUser("alice", "a@x.example"),
            {
                "identity": "alice",
                "is_authenticated": True,
                "display_name": "alice",
                "email": "a@x.example",
                "permissions": ["p"],
            },
        ),
    ],
)
async def test_a_caller_is_a_name_a_mapping_or_an_object(result: Any, user: dict[str, Any]) -> None:
    principal = await Handlers(letting_in(result)).authenticate(REQUEST)
    assert (principal.identity, principal.user) == ("alice", user)
    assert principal.permissions == tuple(user.get("permissions", ()))


@pytest.mark.parametrize("result", [None, 7, {"name": "alice"}, {"identity": None}])
async def test_a_caller_without_identity_is_an_error_of_the_project(result: Any) -> None:
    with pytest.raises(TypeError, match="authenticate must return"):
        await Handlers(letting_in(result)).authenticate(REQUEST)


class StarletteException(Exception):
    def __init__(self) -> None:
        self.status_code, self.detail, self.headers = 418, "teapot", None


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (Auth.exceptions.HTTPException(), 401, "Unauthorized"),
        (Auth.exceptions.HTTPException(409, "taken"), 409, "taken"),
        (Auth.exceptions.HTTPException(503), 503, "Service Unavailable"),
        (StarletteException(), 418, "teapot"),
        (ValueError("bad token"), 400, "bad token"),
    ],
)
async def test_what_a_handler_raises_to_refuse(error: Exception, code: int, detail: str) -> None:
    with pytest.raises(AccessRefused, match=detail) as refused:
        await Handlers(letting_in(error)).authenticate(REQUEST)
    assert refused.value.code == code


async def test_other_errors_of_a_handler_are_errors() -> None:
    with pytest.raises(AssertionError):
        await Handlers(letting_in(AssertionError("x"))).authenticate(REQUEST)


async def test_the_most_specific_handler_decides() -> None:
    auth = letting_in("alice")
    asked: list[str] = []

    @auth.on
    async def everything(ctx: Any, value: Any) -> None:
        asked.append("global")

    @auth.on.threads
    async def threads(ctx: Any, value: Any) -> None:
        asked.append("threads")

    @auth.on.threads.create
    async def threads_create(ctx: Any, value: Any) -> None:
        asked.append("threads.create")

    @auth.on(actions="read")
    async def reads(ctx: Any, value: Any) -> None:
        asked.append("*.read")

    handlers = Handlers(auth)
    for event in ("threads.create", "threads.read", "assistants.read", "assistants.create", "store.put"):
        await handlers.authorize(ALICE, event, {})
    assert asked == ["threads.create", "threads", "*.read", "global", "global"]


async def test_without_a_handler_everything_is_allowed() -> None:
    assert await Handlers(letting_in("alice")).authorize(ALICE, "threads.read", {}) == EVERYTHING


async def test_a_handler_sees_who_asks_what() -> None:
    auth = letting_in("alice")
    seen: list[Any] = []

    @auth.on
    async def everything(ctx: Any, value: dict[str, Any]) -> None:
        value["metadata"] = {"owner": ctx.user.identity, "org": ctx.user["org"]}
        seen.append((ctx.resource, ctx.action, ctx.permissions))

    value: dict[str, Any] = {}
    await Handlers(auth).authorize(ALICE, "threads.create_run", value)
    assert value == {"metadata": {"owner": "alice", "org": "acme"}}
    assert seen == [("threads", "create_run", ("read",))]


@pytest.mark.parametrize(
    ("result", "access"),
    [
        (None, EVERYTHING),
        (True, EVERYTHING),
        ({}, EVERYTHING),
        ({"owner": "a"}, Access({"owner": "a"}, {})),
        ({"owner": {"$eq": "a"}, "org": "b"}, Access({"owner": "a", "org": "b"}, {})),
        ({"tags": {"$contains": "a"}}, Access({}, {"tags": ("a",)})),
        ({"tags": {"$contains": ["a", "b"]}}, Access({}, {"tags": ("a", "b")})),
    ],
)
async def test_an_answer_is_a_filter_on_metadata(result: Any, access: Access) -> None:
    auth = letting_in("alice")

    @auth.on
    async def everything(ctx: Any, value: Any) -> Any:
        return result

    assert await Handlers(auth).authorize(ALICE, "threads.read", {}) == access


@pytest.mark.parametrize("result", ["alice", 1, {"owner": {"$ne": "a"}}, {"owner": {"$eq": "a", "$contains": "b"}}])
async def test_an_answer_that_means_nothing_lets_nobody_in(result: Any) -> None:
    auth = letting_in("alice")

    @auth.on
    async def everything(ctx: Any, value: Any) -> Any:
        return result

    with pytest.raises(TypeError):
        await Handlers(auth).authorize(ALICE, "threads.read", {})


async def test_false_is_forbidden() -> None:
    auth = letting_in("alice")

    @auth.on
    async def everything(ctx: Any, value: Any) -> bool:
        return False

    with pytest.raises(AccessRefused, match="Forbidden") as refused:
        await Handlers(auth).authorize(ALICE, "threads.read", {})
    assert refused.value.code == 403


async def test_studio_is_believed_only_with_a_known_key() -> None:
    request = HttpRequest("GET", "/threads", [], {"x-auth-scheme": "langsmith", "x-api-key": "k"})
    refusing = letting_in(Auth.exceptions.HTTPException())
    with pytest.raises(AccessRefused):
        await Handlers(refusing).authenticate(request)
    principal = await Handlers(refusing, trusts_studio=lambda _request: True).authenticate(request)
    assert isinstance(principal.handle, Auth.types.StudioUser)
    assert (principal.identity, principal.handle.is_authenticated) == ("langgraph-studio-user", True)


async def test_the_cache_remembers_callers_by_their_headers() -> None:
    auth = Auth()
    asked: list[str] = []

    @auth.authenticate
    async def authenticate(authorization: str | None) -> str:
        asked.append(authorization or "")
        return authorization or "nobody"

    def request(**headers: str) -> HttpRequest:
        return HttpRequest("GET", "/", [], headers)

    handlers = Handlers(auth, cache=AuthCache(cache_keys=("Authorization",), ttl_seconds=60, max_size=2))
    for token in ("a", "a", "b", "a", "c", "a", "b"):
        assert (await handlers.authenticate(request(authorization=token))).identity == token
    assert asked == ["a", "b", "c", "a", "b"]
    expired = Handlers(auth, cache=AuthCache(cache_keys=("authorization",), ttl_seconds=0))
    for _ in range(2):
        await expired.authenticate(request(authorization="d"))
        await handlers.authenticate(request())
    assert asked[5:] == ["d", "", "d", ""]
