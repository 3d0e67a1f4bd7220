"""The effect of the section `http` of a langgraph.json, and of `auth.openapi`, on the API."""

import json
import logging
from typing import Any

import pytest

from auth.handlers import Handlers
from project_config.sections import AuthConfig, AuthOpenApi, CorsConfig, HeaderPatterns, HttpConfig, ProjectConfig
from settings import Settings
from tests.support import owners
from tests.support.http_api import Api

THREAD = "/threads/01a1fc60-905c-7390-9fc1-ed6b2aa6090c"


def serving(**http: Any) -> Api:
    return Api(config=ProjectConfig(http=HttpConfig(**http)))


@pytest.mark.parametrize(
    ("flag", "gone", "left"),
    [
        ("disable_assistants", "/assistants/search", "/threads"),
        ("disable_threads", "/threads", "/assistants/search"),
        ("disable_runs", f"{THREAD}/runs", "/threads"),
        ("disable_runs", "/runs", "/threads"),
        ("disable_store", "/store/items/search", "/threads"),
        ("disable_mcp", "/mcp", "/threads"),
        ("disable_a2a", "/a2a/sequence", "/threads"),
        ("disable_ui", "/ui/sequence", "/threads"),
    ],
)
async def test_a_disabled_group_does_not_exist(flag: str, gone: str, left: str) -> None:
    api = serving(**{flag: True})
    assert await api.json("POST", gone, {}, status=404) == {"detail": "Not Found"}
    await api.json("POST", left, {})
    assert gone not in (await api.json("GET", "/openapi.json"))["paths"]


async def test_without_meta_operations_only_health_is_told() -> None:
    api = serving(disable_meta=True)
    for path in ("/info", "/docs", "/openapi.json", "/metrics"):
        await api.json("GET", path, status=404)
    assert await api.json("GET", "/ok") == {"ok": True}


@pytest.mark.parametrize(
    "api",
    [
        serving(mount_prefix="/api/v1"),
        Api(Settings(mount_prefix="/other"), ProjectConfig(http=HttpConfig(mount_prefix="/api/v1"))),
        Api(Settings(mount_prefix="/api/v1")),
    ],
    ids=["langgraph.json", "both", "variable"],
)
async def test_everything_is_below_the_mount_prefix_and_health_also_at_the_root(api: Api) -> None:
    thread = await api.json("POST", "/api/v1/threads", {})
    assert await api.json("GET", f"/api/v1/threads/{thread['thread_id']}")
    for path in ("/threads", "/api/v1threads", "/api/v1", "/api"):
        await api.json("POST", path, {}, status=404)
    for path in ("/ok", "/api/v1/ok", "/api/v1/"):
        assert (await api.json("GET", path))["ok"] is True
    redirect: Any = await api.ask("POST", "/api/v1/threads/", {})
    assert (redirect.status, redirect.headers["location"]) == (307, "/api/v1/threads")
    assert (await api.json("GET", "/api/v1/openapi.json"))["servers"] == [{"url": "/api/v1"}]
    run: Any = await api.ask("POST", "/api/v1/runs", {"assistant_id": "sequence"})
    assert run.headers["location"].startswith("/threads/")


async def test_chosen_headers_reach_the_graph_and_never_secrets_or_reserved_names() -> None:
    api = serving(configurable_headers=HeaderPatterns(includes=("X-*", "check*", "thread*"), excludes=("*-private",)))
    sent = {
        "x-tenant": "acme",
        "x-private": "1",
        "x-api-key": "k",
        "authorization": "Bearer t",
        "checkpoint_id": "c",
        "thread-id": "t",
    }
    run = await api.json("POST", "/runs", {"assistant_id": "sequence"}, status=202, **sent)
    configurable = run["kwargs"]["config"]["configurable"]
    assert {name: configurable.get(name) for name in sent} == {
        **dict.fromkeys(sent),
        "x-tenant": "acme",
        "thread-id": "t",
    }


async def test_no_header_reaches_the_graph_unless_chosen() -> None:
    run = await Api().json("POST", "/runs", {"assistant_id": "sequence"}, status=202, **{"x-tenant": "acme"})
    assert "x-tenant" not in run["kwargs"]["config"]["configurable"]


async def test_chosen_headers_stand_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    api = serving(logging_headers=HeaderPatterns(includes=("x-*",)))
    api.db.connection.execute("DROP TABLE threads")
    with caplog.at_level(logging.WARNING):
        await api.json("POST", "/threads", {}, status=503, **{"x-tenant": "acme", "x-api-key": "secret"})
    [record] = caplog.records
    headers: Any = record.__dict__["headers"]
    assert headers["x-tenant"] == "acme"
    assert "secret" not in str(record.__dict__)


async def test_a_request_is_known_by_its_id() -> None:
    api = Api()
    answer: Any = await api.ask("POST", "/runs", {"assistant_id": "sequence"}, headers={"x-request-id": "abc-1"})
    assert answer.headers["x-request-id"] == "abc-1"
    assert json.loads(answer.body)["kwargs"]["config"]["configurable"]["langgraph_request_id"] == "abc-1"
    for headers in ({}, {"x-request-id": "a\nb"}, {"x-request-id": "a" * 200}):
        other: Any = await api.ask("GET", "/ok", headers=headers)
        assert other.headers["x-request-id"] not in {None, "", headers.get("x-request-id")}


async def test_sites_are_those_of_langgraph_json_also_for_refusals() -> None:
    config = ProjectConfig(http=HttpConfig(cors=CorsConfig(allow_origins=("https://a.example",))))
    api = Api(config=config, gatekeeper=Handlers(owners.handlers()))
    for method, path in (("GET", "/ok"), ("POST", "/threads"), ("OPTIONS", "/threads")):
        answer: Any = await api.ask(method, path, headers={"origin": "https://a.example"})
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        answer = await api.ask(method, path, headers={"origin": "https://b.example"})
        assert "access-control-allow-origin" not in answer.headers


async def test_custom_route_auth_also_guards_info() -> None:
    api = Api(
        config=ProjectConfig(http=HttpConfig(enable_custom_route_auth=True)), gatekeeper=Handlers(owners.handlers())
    )
    await api.json("GET", "/info", status=401)
    await api.json("GET", "/info", **owners.bearer(owners.OWNER))
    await api.json("GET", "/ok")


async def test_what_the_project_says_about_authentication_is_in_the_openapi_document() -> None:
    scheme = {"Key": {"type": "apiKey", "in": "header", "name": "x-api-key"}}
    security = AuthOpenApi(
        securitySchemes=scheme, security=({"Key": []},), paths={"/threads": {"POST": [{"Key": ["write"]}]}}
    )
    document = await Api(config=ProjectConfig(auth=AuthConfig(openapi=security))).json("GET", "/openapi.json")
    assert document["components"]["securitySchemes"] == scheme
    assert document["security"] == [{"Key": []}]
    assert document["paths"]["/threads"]["post"]["security"] == [{"Key": ["write"]}]
