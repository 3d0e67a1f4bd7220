"""A cache of recent callers by the headers that `auth.cache` names, so that not every request calls the handler."""

import clock
from auth.principal import Principal
from http_messages import HttpRequest
from project_config.sections import AuthCache


class RecentCallers:
    """A bounded cache in one isolate; requests without any of these headers are not cached."""

    def __init__(self, config: AuthCache) -> None:
        self._config = config
        self._names = tuple(name.lower() for name in config.cache_keys)
        #: In the order of their expiry.
        self._callers: dict[tuple[str | None, ...], tuple[int, Principal]] = {}

    def find(self, request: HttpRequest) -> Principal | None:
        """The cached caller with these headers; None if there is none, or if the entry has expired."""
        expires_at, principal = self._callers.get(self._key(request), (0, None))
        return principal if clock.now_ms() < expires_at else None

    def remember(self, request: HttpRequest, principal: Principal) -> None:
        """Cache the caller for as long as the configuration says."""
        key = self._key(request)
        if not any(key):
            return
        self._callers.pop(key, None)
        self._callers[key] = (clock.now_ms() + self._config.ttl_seconds * 1000, principal)
        while len(self._callers) > self._config.max_size:
            del self._callers[next(iter(self._callers))]

    def _key(self, request: HttpRequest) -> tuple[str | None, ...]:
        return tuple(request.headers.get(name) for name in self._names)
