"""Where spans are sent, from the variables of OpenTelemetry and LangSmith."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from settings import VERSION
from tracing.spans import Value

LANGSMITH: Final = "https://api.smith.langchain.com"

#: OpenTelemetry's switch for the inputs and outputs of models and tools; off unless it has one of these values.
CAPTURE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_CAPTURED: Final = frozenset({"true", "span_only", "span_and_event"})

_ALL: Final = frozenset({"inputs", "outputs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A receiver of OTLP over HTTP."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    is_langsmith: bool = False
    #: Which of "inputs" and "outputs" it receives.
    content: frozenset[str] = frozenset()

    @property
    def place(self) -> str:
        """Its address for the log, without credentials, which addresses may contain."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """The destinations of spans, the description of their sender, and how long a span may wait for a batch."""

    destinations: Sequence[Destination]
    resource: Mapping[str, Value]
    max_wait_ms: int = 5000

    @classmethod
    def from_environment(cls, env: Mapping[str, str], worker_version: str) -> "Tracing | None":
        """The configured destinations; None if there are none. ValueError names the variable that is wrong."""
        if env.get("OTEL_SDK_DISABLED", "").lower() == "true":
            return None
        destinations = [*_collector(env), *_langsmith(env)]
        resource = _resource(env, worker_version)
        return (
            cls(destinations=destinations, resource=resource, max_wait_ms=_max_wait_ms(env)) if destinations else None
        )


def _collector(env: Mapping[str, str]) -> list[Destination]:
    base, url = env.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""), env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    if not (base or url) or env.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return []
    name = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" if url else "OTEL_EXPORTER_OTLP_ENDPOINT"
    headers = env.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or env.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    return [
        Destination(
            url=_checked(name, url or f"{base.rstrip('/')}/v1/traces"),
            headers=_pairs("OTEL_EXPORTER_OTLP_HEADERS", headers),
            content=_ALL if env.get(CAPTURE, "").lower() in _CAPTURED else frozenset(),
        )
    ]


def _langsmith(env: Mapping[str, str]) -> list[Destination]:
    def either(name: str, default: str = "") -> str:
        return env.get(f"LANGSMITH_{name}") or env.get(f"LANGCHAIN_{name}") or default

    if "true" not in (either("TRACING_V2"), env.get("LANGSMITH_TRACING")):
        return []
    key = either("API_KEY")
    if not key:
        raise ValueError("LANGSMITH_TRACING=true needs LANGSMITH_API_KEY, best set as a secret")
    workspace = either("WORKSPACE_ID")
    hidden = {name for name in _ALL if either(f"HIDE_{name.upper()}").lower() == "true"}
    return [
        Destination(
            url=_checked("LANGSMITH_ENDPOINT", f"{either('ENDPOINT', LANGSMITH).rstrip('/')}/otel/v1/traces"),
            headers={
                "x-api-key": key,
                "langsmith-project": either("PROJECT", "default"),
                **({"x-tenant-id": workspace} if workspace else {}),
            },
            is_langsmith=True,
            content=_ALL - hidden,
        )
    ]


def _max_wait_ms(env: Mapping[str, str]) -> int:
    text = env.get("OTEL_BSP_SCHEDULE_DELAY", "5000")
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"OTEL_BSP_SCHEDULE_DELAY must be a whole number of milliseconds, not {text!r}")
    return int(text)


def _resource(env: Mapping[str, str], worker_version: str) -> dict[str, Value]:
    return {
        "service.name": env.get("OTEL_SERVICE_NAME") or "superstep",
        "service.version": worker_version,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "superstep",
        "telemetry.sdk.version": VERSION,
        **_pairs("OTEL_RESOURCE_ATTRIBUTES", env.get("OTEL_RESOURCE_ATTRIBUTES", "")),
        **({"service.name": env["OTEL_SERVICE_NAME"]} if env.get("OTEL_SERVICE_NAME") else {}),
    }


def _pairs(name: str, text: str) -> dict[str, str]:
    """`key=value,key=value`, percent-encoded."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if any(not (equals and key.strip()) for key, equals, _ in pairs):
        raise ValueError(f"{name} must be key=value pairs with commas between them")
    return {key.strip(): unquote(value.strip()) for key, _, value in pairs}


def _checked(name: str, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{name} must be the address of an HTTP endpoint such as https://collector.example:4318")
    return url
