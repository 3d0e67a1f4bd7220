"""What an operator can set: the `vars` of wrangler.toml, read once and checked."""

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, TypeVar, get_args

from project_config.reading import check_variables
from project_config.sections import MOUNT_PREFIX

#: Superstep's own version, as `GET /info` and the OpenAPI document say it.
VERSION: Final = "0.1.0"

#: With more, the history of a run (`tables.run_history.MAX_ENTRIES`) might have dropped the first of them.
MOST_ATTEMPTS: Final = 100

#: An alarm has 15 minutes, which must do for what comes before the slice and for its last super-step, too.
MOST_SLICE_SECONDS: Final = 600

AcceptedStatus: TypeAlias = Literal["auto", "200", "202"]
AuthMode: TypeAlias = Literal["required", "none"]
#: What the Standard Webhooks specification asks of a key.
_WEBHOOK_KEY_BYTES: Final = range(24, 65)

LogLevel: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
ChoiceT = TypeVar("ChoiceT", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field for one variable, named like it in lower case."""

    #: `none` lets everybody in if neither `API_KEYS` nor handlers say who may call; `required` lets nobody in then.
    auth: AuthMode = "required"
    #: Who may call, best set as a secret: `key`, `name:key, other:key` or JSON; a name sees its own rows only.
    api_keys: str = field(default="", repr=False)
    #: What webhooks are signed with, best set as a secret: `whsec_…`; while keys change, several with spaces between.
    webhook_secrets: tuple[bytes, ...] = field(default=(), repr=False)
    #: The DNS-over-HTTPS resolver that resolves the hosts of webhooks; it must speak `application/dns-json`.
    dns_resolver_url: str = "https://cloudflare-dns.com/dns-query"
    #: A longer request body is answered with 413.
    max_body_bytes: int = 16 * 1024 * 1024
    #: The status that answers an accepted background run: `200`, `202`, or `auto` for 202 except to JavaScript clients.
    accepted_status: AcceptedStatus = "auto"
    #: A run that is cut off this many times with nothing stored in between becomes a dead letter; at most 100.
    max_attempts: int = 5
    #: After this many runs of a graph in a row have given up, its other runs give up the first time they are cut off.
    circuit_failures: int = 5
    #: How long that lasts before one run of the graph is tried again, to see whether it is well.
    circuit_cooldown_seconds: int = 300
    #: How long a run that gave up can be redriven. A stateless one keeps its thread that long.
    dead_letter_retention_seconds: int = 14 * 24 * 3600
    #: A run that needs more seconds, super-steps or CPU (`limits.cpu_ms`) continues in slices, driven by a Workflow.
    slice_seconds: int = 240
    slice_supersteps: int = 1000
    #: A run that has not ended this long after it began is stopped with status `timeout`.
    bg_job_timeout_secs: int = 3600
    #: How long the events of a finished run can be streamed again.
    stream_retention_seconds: int = 7 * 24 * 3600
    #: How long a retry with the same `Idempotency-Key` is answered with what the first request created.
    idempotency_key_seconds: int = 24 * 3600
    #: The lowest level that is logged: DEBUG, INFO, WARNING or ERROR. A quick run logs three lines at INFO.
    log_level: LogLevel = "INFO"
    #: A prefix of every path, such as `/api`; `http.mount_prefix` in langgraph.json wins over it.
    mount_prefix: str = ""
    #: The origins whose scripts may call, comma-separated; `*` allows all.
    cors_allow_origins: str = "*"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read the variables that are set; ValueError names the one that is wrong and says what it may be."""
        check_variables(env)
        unset = cls()
        return cls(
            auth=_choice(env, "AUTH", get_args(AuthMode), unset.auth),
            api_keys=env.get("API_KEYS", unset.api_keys).strip(),
            webhook_secrets=_webhook_secrets(env.get("WEBHOOK_SECRETS", "")),
            dns_resolver_url=_url(env, "DNS_RESOLVER_URL", unset.dns_resolver_url),
            max_body_bytes=_positive(env, "MAX_BODY_BYTES", unset.max_body_bytes),
            accepted_status=_choice(env, "ACCEPTED_STATUS", get_args(AcceptedStatus), unset.accepted_status),
            max_attempts=_positive(env, "MAX_ATTEMPTS", unset.max_attempts, most=MOST_ATTEMPTS),
            circuit_failures=_positive(env, "CIRCUIT_FAILURES", unset.circuit_failures),
            circuit_cooldown_seconds=_positive(env, "CIRCUIT_COOLDOWN_SECONDS", unset.circuit_cooldown_seconds),
            dead_letter_retention_seconds=_positive(
                env, "DEAD_LETTER_RETENTION_SECONDS", unset.dead_letter_retention_seconds
            ),
            slice_seconds=_positive(env, "SLICE_SECONDS", unset.slice_seconds, most=MOST_SLICE_SECONDS),
            slice_supersteps=_positive(env, "SLICE_SUPERSTEPS", unset.slice_supersteps),
            bg_job_timeout_secs=_positive(env, "BG_JOB_TIMEOUT_SECS", unset.bg_job_timeout_secs),
            stream_retention_seconds=_positive(env, "STREAM_RETENTION_SECONDS", unset.stream_retention_seconds),
            idempotency_key_seconds=_positive(env, "IDEMPOTENCY_KEY_SECONDS", unset.idempotency_key_seconds),
            log_level=_choice(env, "LOG_LEVEL", get_args(LogLevel), unset.log_level),
            mount_prefix=_prefix(env.get("MOUNT_PREFIX", unset.mount_prefix)),
            cors_allow_origins=env.get("CORS_ALLOW_ORIGINS", unset.cors_allow_origins),
        )


def _positive(env: Mapping[str, str], name: str, default: int, *, most: int | None = None) -> int:
    text = env.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ValueError(f"{name} must be a whole number above 0, not {text!r}")
    if most is not None and int(text) > most:
        raise ValueError(f"{name} must be at most {most}, not {text!r}")
    return int(text)


def _prefix(text: str) -> str:
    if not MOUNT_PREFIX.fullmatch(text):
        raise ValueError(f"MOUNT_PREFIX must begin with a slash and end without one, unlike {text!r}")
    return text


def _webhook_secrets(text: str) -> tuple[bytes, ...]:
    """The keys in `whsec_…` texts; the message of the ValueError must not repeat any of them."""
    try:
        keys = [b64decode(secret.removeprefix("whsec_"), validate=True) for secret in text.split()]
    except ValueError:
        keys = [b""]
    if not all(len(key) in _WEBHOOK_KEY_BYTES for key in keys):
        raise ValueError(
            "WEBHOOK_SECRETS must be `whsec_` and the base64 of 24 to 64 random bytes, or several such with spaces "
            "between them; `echo whsec_$(openssl rand -base64 32)` makes one"
        )
    return tuple(keys)


def _url(env: Mapping[str, str], name: str, default: str) -> str:
    text = env.get(name, default)
    if not re.fullmatch(r"https?://[^\s?#]+", text):
        raise ValueError(f"{name} must be an http or https URL without a query, not {text!r}")
    return text


def _choice(env: Mapping[str, str], name: str, choices: tuple[ChoiceT, ...], default: ChoiceT) -> ChoiceT:
    text = env.get(name, default)
    for choice in choices:
        if text == choice:
            return choice
    raise ValueError(f"{name} must be one of {', '.join(choices)}, not {text!r}")
