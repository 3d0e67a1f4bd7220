"""CORS: which origins' scripts may call this server and read its responses."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from http_messages import HttpResponse
from project_config.sections import CorsConfig

METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY")

#: The headers that the JavaScript SDK reads, and the one that marks the response to a repeated request.
EXPOSED: Final = (
    "x-pagination-total",
    "x-pagination-next",
    "content-location",
    "location",
    "x-request-id",
    "idempotent-replayed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossOrigin:
    """The CORS rules; made by `policy`."""

    origins: tuple[str, ...]
    origin_pattern: re.Pattern[str] | None
    methods: tuple[str, ...]
    #: In lower case; None for any.
    headers: tuple[str, ...] | None
    with_credentials: bool
    exposed: tuple[str, ...]
    max_age_seconds: int

    def response_headers(self, origin: str | None) -> dict[str, str]:
        """The headers that let a script at `origin` read a response.

        Always with `vary`, so that a cache keeps origins apart.
        """
        allowed = self._allowed(origin)
        if allowed is None:
            return {"vary": "Origin"}
        return {
            "access-control-allow-origin": allowed,
            "access-control-expose-headers": ", ".join(self.exposed),
            **self._credentials(),
            "vary": "Origin",
        }

    def preflight(self, request: Mapping[str, str]) -> HttpResponse:
        """The response to OPTIONS on any path; the request itself learns what is wrong with the path."""
        asked_headers = request.get("access-control-request-headers", "")
        refused = [
            name
            for name, is_fine in (
                ("origin", "origin" not in request or self._allowed(request["origin"]) is not None),
                ("method", request.get("access-control-request-method", "GET") in self.methods),
                ("headers", self._allows_headers(asked_headers)),
            )
            if not is_fine
        ]
        headers = {
            "access-control-allow-methods": ", ".join(self.methods),
            "access-control-max-age": str(self.max_age_seconds),
            "access-control-allow-private-network": "true",
            "content-type": "text/plain; charset=utf-8",
        }
        if allowed := asked_headers if self.headers is None else ", ".join(self.headers):
            headers["access-control-allow-headers"] = allowed
        if refused:
            return HttpResponse(400, headers, f"Disallowed CORS {', '.join(refused)}")
        return HttpResponse(200, headers, "OK")

    def _allowed(self, origin: str | None) -> str | None:
        """The `access-control-allow-origin` for `origin`; None for no header."""
        if "*" in self.origins:
            return "*"
        if origin is None:
            return None
        matches = self.origin_pattern is not None and self.origin_pattern.fullmatch(origin) is not None
        return origin if matches or origin in self.origins else None

    def _allows_headers(self, asked: str) -> bool:
        allowed = self.headers
        return allowed is None or all(name.strip().lower() in allowed for name in asked.split(",") if name.strip())

    def _credentials(self) -> dict[str, str]:
        return {"access-control-allow-credentials": "true"} if self.with_credentials else {}


@lru_cache(maxsize=8)
def policy(config: CorsConfig | None, allow_origins: str) -> CrossOrigin:
    """The rules of `http.cors` in langgraph.json, otherwise those of the setting `CORS_ALLOW_ORIGINS`."""
    chosen = config or CorsConfig(allow_origins=tuple(origin.strip() for origin in allow_origins.split(",")))
    return CrossOrigin(
        origins=chosen.allow_origins,
        origin_pattern=re.compile(chosen.allow_origin_regex) if chosen.allow_origin_regex else None,
        methods=tuple(map(str.upper, chosen.allow_methods)) or METHODS,
        headers=tuple(map(str.lower, chosen.allow_headers)) or None,
        with_credentials=chosen.allow_credentials,
        exposed=tuple(dict.fromkeys([*EXPOSED, *map(str.lower, chosen.expose_headers)])),
        max_age_seconds=chosen.max_age,
    )
