"""The status of an accepted background run: 202, except for callers that would lose its body."""

from collections.abc import Mapping
from typing import Final, Literal

from settings import AcceptedStatus

#: How the User-Agent of a JavaScript runtime's `fetch` begins.
_JAVASCRIPT_AGENTS: Final = ("node", "deno", "bun", "undici")


def accepted_status(headers: Mapping[str, str], setting: AcceptedStatus) -> Literal[200, 202]:
    """202, because the run was only accepted; 200 for JavaScript, whose official SDK throws away the body of any 202.

    That SDK does not identify itself, but its `fetch` does: browsers and Node send `sec-fetch-mode`, Workers send
    `cf-worker`. `Prefer: respond-async` and the setting take precedence.
    """
    if _prefers_async(headers.get("prefer", "")):
        return 202
    if setting != "auto":
        return 200 if setting == "200" else 202
    agent = headers.get("user-agent", "").lower()
    is_javascript = "sec-fetch-mode" in headers or "cf-worker" in headers or agent.startswith(_JAVASCRIPT_AGENTS)
    return 200 if is_javascript else 202


def _prefers_async(prefer: str) -> bool:
    return any(wish.strip().lower() == "respond-async" for wish in prefer.replace(";", ",").split(","))
