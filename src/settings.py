"""What an operator can set: the `vars` of wrangler.toml, read once and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

#: Superstep's own version, as `GET /info` and the OpenAPI document say it.
VERSION: Final = "0.1.0"

AcceptedStatus: TypeAlias = Literal["auto", "200", "202"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field for one variable, named like it in lower case."""

    #: A longer request body is answered with 413.
    max_body_bytes: int = 16 * 1024 * 1024
    #: The status of an accepted background run: `auto` asks `api.accepted` what the caller can read.
    accepted_status: AcceptedStatus = "auto"
    #: How often a run may be started anew after crashes before it ends as `error`.
    max_attempts: int = 5
    #: A run that executes for longer than this, or for more super-steps, goes on slice by slice in a Workflow.
    slice_seconds: int = 300
    slice_supersteps: int = 1000
    #: How long the events of a finished run can be streamed again.
    stream_retention_seconds: int = 7 * 24 * 3600
    #: The sites whose scripts may call, comma-separated; `*` is all.
    cors_allow_origins: str = "*"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read the variables that are set; ValueError names the one that is wrong and says what it may be."""
        unset = cls()
        return cls(
            max_body_bytes=_positive(env, "MAX_BODY_BYTES", unset.max_body_bytes),
            accepted_status=_accepted_status(env.get("ACCEPTED_STATUS", unset.accepted_status)),
            max_attempts=_positive(env, "MAX_ATTEMPTS", unset.max_attempts),
            slice_seconds=_positive(env, "SLICE_SECONDS", unset.slice_seconds),
            slice_supersteps=_positive(env, "SLICE_SUPERSTEPS", unset.slice_supersteps),
            stream_retention_seconds=_positive(env, "STREAM_RETENTION_SECONDS", unset.stream_retention_seconds),
            cors_allow_origins=env.get("CORS_ALLOW_ORIGINS", unset.cors_allow_origins),
        )


def _positive(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(f"{name} must be a whole number above 0, not {text!r}")
    return int(text)


def _accepted_status(text: str) -> AcceptedStatus:
    for choice in get_args(AcceptedStatus):
        if text == choice:
            return choice
    raise ValueError(f"ACCEPTED_STATUS must be one of {', '.join(get_args(AcceptedStatus))}, not {text!r}")
