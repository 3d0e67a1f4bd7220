"""The variables of OpenTelemetry and LangSmith that say where spans go."""

from collections.abc import Sequence

import pytest

from tracing import destinations
from tracing.destinations import Destination, Tracing

BOTH = frozenset({"inputs", "outputs"})


def from_environment(env: dict[str, str]) -> Sequence[Destination]:
    tracing = Tracing.from_environment(env, "v7")
    return tracing.destinations if tracing else []


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"LANGSMITH_API_KEY": "k", "OTEL_SERVICE_NAME": "s"},
        {"LANGSMITH_API_KEY": "k", "LANGSMITH_TRACING": "false"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_nobody_gets_spans_who_did_not_ask(env: dict[str, str]) -> None:
    assert from_environment(env) == []


@pytest.mark.parametrize(
    ("env", "url"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c.example:4318"}, "https://c.example:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c.example/otlp/"}, "https://c.example/otlp/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c.example/t"}, "https://c.example/t"),
    ],
)
def test_a_collector_gets_them_without_what_is_said(env: dict[str, str], url: str) -> None:
    assert from_environment(env) == [Destination(url=url, headers={})]


def test_headers_are_percent_encoded_pairs() -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20a2V5=, b=2"}
    [found] = from_environment(env)
    assert found.headers == {"authorization": "Basic a2V5=", "b": "2"}
    assert "a2V5" not in repr(found)


@pytest.mark.parametrize(("switch", "content"), [("true", BOTH), ("SPAN_ONLY", BOTH), ("no_content", frozenset())])
def test_a_collector_is_told_what_is_said_if_asked_to(switch: str, content: frozenset[str]) -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", destinations.CAPTURE: switch}
    assert from_environment(env) == [Destination(url="http://c/v1/traces", headers={}, content=content)]


def test_langsmith_gets_all_that_is_not_hidden() -> None:
    env = {"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "k"}
    url, project = "https://api.smith.langchain.com/otel/v1/traces", {"x-api-key": "k", "langsmith-project": "default"}
    common = {"url": url, "headers": project, "is_langsmith": True}
    assert from_environment(env) == [Destination(**common, content=BOTH)]
    hidden = from_environment({**env, "LANGSMITH_HIDE_INPUTS": "true"})
    assert hidden == [Destination(**common, content=frozenset({"outputs"}))]
    older = {"LANGCHAIN_TRACING_V2": "true", "LANGCHAIN_API_KEY": "k", "LANGCHAIN_ENDPOINT": "https://eu.example/"}
    older |= {"LANGCHAIN_PROJECT": "p", "LANGSMITH_WORKSPACE_ID": "w"}
    [found] = from_environment(older)
    assert (found.url, found.headers) == (
        "https://eu.example/otel/v1/traces",
        {"x-api-key": "k", "langsmith-project": "p", "x-tenant-id": "w"},
    )


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"LANGSMITH_TRACING": "true"}, "LANGSMITH_API_KEY"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "nonsense"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "k"}, "OTEL_EXPORTER_OTLP_HEADERS"),
    ],
)
def test_what_is_wrong_is_named(env: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        from_environment(env)


COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}


def test_the_resource_says_which_service_and_version_it_is() -> None:
    env = {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=prod,service.name=other", "OTEL_SERVICE_NAME": "s"}
    found = Tracing.from_environment(COLLECTOR | env, "v7")
    assert found
    assert (found.resource["service.name"], found.resource["service.version"]) == ("s", "v7")
    assert found.resource["deployment.environment.name"] == "prod"
    default = Tracing.from_environment(COLLECTOR, "v7")
    assert default
    assert default.resource["service.name"] == "superstep"


def test_how_long_spans_wait_is_opentelemetrys_variable() -> None:
    found = Tracing.from_environment(COLLECTOR | {"OTEL_BSP_SCHEDULE_DELAY": "0"}, "v7")
    assert found
    assert found.max_wait_ms == 0
    with pytest.raises(ValueError, match="OTEL_BSP_SCHEDULE_DELAY"):
        from_environment(COLLECTOR | {"OTEL_BSP_SCHEDULE_DELAY": "soon"})
