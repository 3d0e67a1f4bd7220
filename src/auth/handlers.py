"""The project's own handlers: a `langgraph_sdk.Auth`, named by `auth.path` in langgraph.json."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

from langgraph_sdk import Auth
from langgraph_sdk.auth.types import AuthContext, StudioUser

from auth import filters
from auth.authenticated_request import ARGUMENTS, arguments
from auth.gatekeeper import Event
from auth.principal import Principal
from auth.recent_callers import RecentCallers
from auth.user import User
from errors import AccessRefused
from http_messages import HttpRequest
from project_config.sections import AuthCache
from tables.access import Access

#: The identity of LangSmith's Studio.
STUDIO: Final = "langgraph-studio-user"


#: Whether a request that claims to come from Studio has a key that is known here.
StudioTrust: TypeAlias = Callable[[HttpRequest], bool]


def _nobody(_request: HttpRequest) -> bool:
    return False


class Handlers:
    """Asks the project's handlers, as other LangGraph servers do."""

    is_open = False

    def __init__(self, auth: Auth, *, cache: AuthCache | None = None, trusts_studio: StudioTrust = _nobody) -> None:
        # The SDK promises servers to keep these names, though they are not public.
        authenticate: Callable[..., Any] | None = auth._authenticate_handler  # pyright: ignore[reportPrivateUsage]
        self._handlers = auth._handlers  # pyright: ignore[reportPrivateUsage]
        self._global_handlers = auth._global_handlers  # pyright: ignore[reportPrivateUsage]
        if authenticate is None:
            raise ValueError("the Auth of 'auth.path' has no @auth.authenticate handler, so nobody could be let in")
        self._authenticate = authenticate
        self._wanted = _parameters(authenticate)
        self._trusts_studio = trusts_studio
        self._known = RecentCallers(cache) if cache else None

    async def authenticate(self, request: HttpRequest, /) -> Principal:
        """See `Gatekeeper`."""
        if request.headers.get("x-auth-scheme", "").lower() == "langsmith" and self._trusts_studio(request):
            return _studio()
        if self._known and (known := self._known.find(request)):
            return known
        result = await self._ask(self._authenticate, arguments(request, self._wanted))
        principal = Principal.of(User.of(result))
        if self._known:
            self._known.remember(request, principal)
        return principal

    async def authorize(self, principal: Principal, event: Event, value: dict[str, Any], /) -> Access:
        """See `Gatekeeper`."""
        resource, _, action = event.partition(".")
        handler = self._handler(resource, action)
        if handler is None:
            return filters.access(None)
        context = AuthContext(
            permissions=principal.permissions,
            user=principal.handle,
            resource=cast(Any, resource),
            action=cast(Any, action),
        )
        return filters.access(await self._ask(handler, {"ctx": context, "value": value}))

    def _handler(self, resource: str, action: str) -> Callable[..., Any] | None:
        """The most specific handler."""
        for key in ((resource, action), (resource, "*"), ("*", action)):
            if found := self._handlers.get(key):
                return found[0]
        return self._global_handlers[0] if self._global_handlers else None

    async def _ask(self, handler: Callable[..., Any], given: Mapping[str, Any]) -> Any:
        """Call a handler; a refusal becomes AccessRefused, any other exception is an error of the project."""
        try:
            result = handler(**given)
            return await result if inspect.isawaitable(result) else result
        except ValueError as error:
            raise AccessRefused(400, str(error)) from error
        except Exception as error:
            if (refused := _refusal(error)) is not None:
                raise refused from error
            raise


def _studio() -> Principal:
    user = StudioUser(STUDIO, is_authenticated=True)
    fields = {"identity": STUDIO, "is_authenticated": True, "display_name": STUDIO, "kind": "StudioUser"}
    return Principal(identity=STUDIO, permissions=tuple(user.permissions), user=fields, handle=user)


def _refusal(error: Exception) -> AccessRefused | None:
    """An HTTPException of the SDK, Starlette or FastAPI, which have the same attributes."""
    status, detail = getattr(error, "status_code", None), getattr(error, "detail", None)
    if not isinstance(status, int):
        return None
    return AccessRefused(status, str(detail), getattr(error, "headers", None))


def _parameters(authenticate: Callable[..., Any]) -> frozenset[str]:
    """The parameters that the handler declares; ValueError for unknown ones."""
    wanted: set[str] = set()
    for name, parameter in inspect.signature(authenticate).parameters.items():
        if name in ARGUMENTS:
            wanted.add(name)
        elif parameter.kind is parameter.VAR_KEYWORD:
            wanted.update(ARGUMENTS)
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL:
            raise ValueError(
                f"@auth.authenticate: there is no {name!r} to give it; it may ask for {', '.join(ARGUMENTS)}"
            )
    return frozenset(wanted)
