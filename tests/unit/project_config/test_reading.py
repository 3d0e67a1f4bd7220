"""The sections of a langgraph.json other than its graphs, and how anything else is refused."""

import re
from typing import Any

import pytest

from project_config.reading import ProjectConfigError, known_sections, read_sections
from project_config.sections import (
    AuthCache,
    AuthConfig,
    AuthOpenApi,
    CheckpointerConfig,
    CorsConfig,
    HeaderPatterns,
    HttpConfig,
    ProjectConfig,
    SerdeConfig,
    StoreConfig,
    StoreIndex,
    StoreTtl,
    ThreadTtl,
    WebhookConfig,
    WebhookUrlPolicy,
)


def test_nothing_said_is_all_defaults() -> None:
    assert read_sections({}) == ProjectConfig()
    assert read_sections({"store": None, "http": {"cors": None}}) == ProjectConfig()


def test_every_key_that_is_honoured_has_its_place() -> None:
    sections = {
        "store": {
            "index": {"dims": 3, "embed": "openai:text-embedding-3-small", "fields": ["title"]},
            "ttl": {"refresh_on_read": False, "default_ttl": 60, "sweep_interval_minutes": 5},
        },
        "checkpointer": {
            "ttl": {"strategy": "keep_latest", "default_ttl": 1.5, "sweep_interval_minutes": 5, "sweep_limit": 10},
            "serde": {
                "allowed_msgpack_modules": [["agent", "State"]],
                "allowed_json_modules": None,
                "pickle_fallback": False,
            },
        },
        "auth": {
            "path": "auth.py:auth",
            "disable_studio_auth": True,
            "openapi": {
                "securitySchemes": {"Key": {"type": "apiKey"}},
                "security": [{"Key": []}],
                "paths": {"/threads": {"POST": []}},
            },
            "cache": {"cache_keys": ["authorization"], "ttl_seconds": 5, "max_size": 7},
        },
        "http": {
            "disable_mcp": True,
            "cors": {
                "allow_origins": ["https://a.example"],
                "allow_methods": ["GET"],
                "allow_headers": ["x-a"],
                "allow_credentials": True,
                "allow_origin_regex": "https://.*[.]b[.]example",
                "expose_headers": ["x-b"],
                "max_age": 1,
            },
            "configurable_headers": {"includes": ["x-*"], "excludes": ["x-api-key"]},
            "logging_headers": {"excludes": ["authorization"]},
            "middleware_order": "auth_first",
            "enable_custom_route_auth": True,
            "mount_prefix": "/api",
        },
        "webhooks": {
            "env_prefix": "HOOK_",
            "url": {
                "require_https": True,
                "allowed_domains": ["*.example.com"],
                "allowed_ports": [443],
                "max_url_length": 100,
                "disable_loopback": False,
            },
            "headers": {"x-a": "${{ env.HOOK_TOKEN }}"},
        },
    }
    assert read_sections(sections) == ProjectConfig(
        store=StoreConfig(
            index=StoreIndex(dims=3, embed="openai:text-embedding-3-small", fields=("title",)),
            ttl=StoreTtl(refresh_on_read=False, default_ttl=60, sweep_interval_minutes=5),
        ),
        checkpointer=CheckpointerConfig(
            ttl=ThreadTtl(strategy="keep_latest", default_ttl=1.5, sweep_interval_minutes=5, sweep_limit=10),
            serde=SerdeConfig(allowed_msgpack_modules=(("agent", "State"),)),
        ),
        auth=AuthConfig(
            path="auth.py:auth",
            disable_studio_auth=True,
            openapi=AuthOpenApi(
                securitySchemes={"Key": {"type": "apiKey"}},
                security=({"Key": []},),
                paths={"/threads": {"POST": []}},
            ),
            cache=AuthCache(cache_keys=("authorization",), ttl_seconds=5, max_size=7),
        ),
        http=HttpConfig(
            disable_mcp=True,
            cors=CorsConfig(
                allow_origins=("https://a.example",),
                allow_methods=("GET",),
                allow_headers=("x-a",),
                allow_credentials=True,
                allow_origin_regex="https://.*[.]b[.]example",
                expose_headers=("x-b",),
                max_age=1,
            ),
            configurable_headers=HeaderPatterns(includes=("x-*",), excludes=("x-api-key",)),
            logging_headers=HeaderPatterns(excludes=("authorization",)),
            middleware_order="auth_first",
            enable_custom_route_auth=True,
            mount_prefix="/api",
        ),
        webhooks=WebhookConfig(
            env_prefix="HOOK_",
            url=WebhookUrlPolicy(
                require_https=True,
                allowed_domains=("*.example.com",),
                allowed_ports=(443,),
                max_url_length=100,
                disable_loopback=False,
            ),
            headers={"x-a": "${{ env.HOOK_TOKEN }}"},
        ),
    )


@pytest.mark.parametrize(
    ("sections", "complaint"),
    [
        ({"store": []}, "'store' must be an object"),
        ({"store": {"index": {"dims": 3}}}, "'store.index.embed' is missing"),
        ({"store": {"index": {"dims": "3", "embed": "x"}}}, "'store.index.dims' must be a whole number, not '3'"),
        ({"checkpointer": {"ttl": {"default_ttl": 0}}}, "'checkpointer.ttl.default_ttl' must be above 0"),
        ({"checkpointer": {"ttl": {"default_ttl": 1e12}}}, "'checkpointer.ttl.default_ttl' must be above 0"),
        ({"store": {"ttl": {"default_ttl": True}}}, "'store.ttl.default_ttl' must be a number, not True"),
        ({"checkpointer": {"ttl": {"strategy": "x"}}}, "must be one of 'delete', 'keep_latest', not 'x'"),
        ({"checkpointer": {"path": "a.py:b"}}, "'checkpointer.path' cannot be honoured"),
        ({"checkpointer": {"serde": {"pickle_fallback": True}}}, "could run code"),
        ({"checkpointer": {"serde": {"allowed_msgpack_modules": True}}}, "list the classes"),
        ({"http": {"cors": {"allow_origins": "*"}}}, "'http.cors.allow_origins' must be a list, not '*'"),
        ({"http": {"cors": {"allow_origins": [1]}}}, "'http.cors.allow_origins[0]' must be a string"),
        ({"http": {"cors": {"allow_origins": ["*"], "allow_credentials": True}}}, "allows credentials to every site"),
        (
            {"http": {"cors": {"allow_origin_regex": "https://.*", "allow_credentials": True}}},
            "allows credentials to every site",
        ),
        ({"http": {"cors": {"allow_origin_regex": "("}}}, "'http.cors.allow_origin_regex' is wrong"),
        ({"http": {"mount_prefix": "api/"}}, "must begin with a slash and end without one"),
        ({"http": {"app": "a.py:app"}}, "'http.app' cannot be honoured"),
        ({"http": {"disable_mpc": True}}, "there is no key 'http.disable_mpc'; did you mean 'http.disable_mcp'?"),
        ({"webhooks": {"headers": {"x": 1}}}, "'webhooks.headers.x' must be a string, not 1"),
        ({"ui": {"agent": 1}}, "'ui.agent' must be a string, not 1"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(sections: Any, complaint: str) -> None:
    with pytest.raises(ProjectConfigError, match=re.escape(complaint)):
        read_sections(sections)


def test_every_key_of_the_official_schema_is_known() -> None:
    official = {
        "python_version", "node_version", "api_version", "_INTERNAL_docker_tag", "base_image", "image_distro",
        "pip_config_file", "pip_installer", "source", "dockerfile_lines", "dependencies", "graphs", "env", "store",
        "checkpointer", "auth", "encryption", "priority", "http", "webhooks", "ui", "ui_config", "keep_pkg_tools",
    }  # fmt: skip
    known_sections(dict.fromkeys(official))
    with pytest.raises(ProjectConfigError, match="there is no key 'gateway'"):
        known_sections({"gateway": {}})
