"""The sections of `langgraph.json` other than its graphs, with the names and meanings of the official CLI."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

#: A hundred years.
MAX_TTL_MINUTES: Final = 100 * 366 * 24 * 60

#: A prefix of every path; "" for none.
MOUNT_PREFIX: Final = re.compile(r"(/[^/?#]+)*")

#: Where the bundle step puts the UI components that it has built, below the project's folder. The names of the files
#: end in `.txt`, because a Worker would run a `.js` file.
UI_BUNDLES: Final = "ui_bundles"
UI_SUFFIX: Final = ".txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreIndex:
    """How store items are embedded: `embed` makes vectors of `dims` numbers."""

    dims: int
    #: `provider:model`, or `file.py:function` of the project.
    embed: str
    fields: tuple[str, ...] = ("$",)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTtl:
    """How long store items live, in minutes."""

    refresh_on_read: bool = True
    default_ttl: float | None = None
    sweep_interval_minutes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """The section `store`."""

    index: StoreIndex | None = None
    ttl: StoreTtl | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadTtl:
    """How long threads live, in minutes."""

    strategy: Literal["delete", "keep_latest"] = "delete"
    default_ttl: float | None = None
    sweep_interval_minutes: float | None = None
    sweep_limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SerdeConfig:
    """The classes that checkpoints may contain."""

    #: Module and name of each class, in addition to those that the schemas of a graph name.
    allowed_msgpack_modules: tuple[tuple[str, ...], ...] | None = None
    #: For checkpoints that older savers wrote as JSON; no thread here has any.
    allowed_json_modules: tuple[tuple[str, ...], ...] | None = None
    pickle_fallback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointerConfig:
    """The section `checkpointer`."""

    ttl: ThreadTtl | None = None
    serde: SerdeConfig = SerdeConfig()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthCache:
    """Which headers identify a caller, and for how long the answer of `authenticate` is cached."""

    cache_keys: tuple[str, ...]
    ttl_seconds: int = 60
    max_size: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthOpenApi:
    """What the OpenAPI document says about authentication."""

    securitySchemes: Mapping[str, Any] = field(default_factory=dict[str, Any])  # noqa: N815 - OpenAPI's own spelling
    security: tuple[Mapping[str, Any], ...] = ()
    paths: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """The section `auth`."""

    #: `file.py:variable`, below the project's folder.
    path: str | None = None
    disable_studio_auth: bool = False
    openapi: AuthOpenApi = AuthOpenApi()
    cache: AuthCache | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsConfig:
    """The section `http.cors`."""

    allow_origins: tuple[str, ...] = ()
    #: Empty means all; the same holds for headers.
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    allow_credentials: bool = False
    allow_origin_regex: str | None = None
    expose_headers: tuple[str, ...] = ()
    max_age: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderPatterns:
    """Header names, with `*` as wildcard; `excludes` wins over `includes`."""

    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """The section `http`."""

    disable_assistants: bool = False
    disable_threads: bool = False
    disable_runs: bool = False
    disable_store: bool = False
    disable_mcp: bool = False
    disable_a2a: bool = False
    disable_meta: bool = False
    disable_ui: bool = False
    disable_webhooks: bool = False
    cors: CorsConfig | None = None
    #: Request headers that become `config.configurable` of a run.
    configurable_headers: HeaderPatterns = HeaderPatterns()
    #: Request headers that may appear in log lines.
    logging_headers: HeaderPatterns = HeaderPatterns()
    middleware_order: Literal["auth_first", "middleware_first"] = "middleware_first"
    enable_custom_route_auth: bool = False
    #: Such as `/api`: begins with a slash and ends without one; "" for none.
    mount_prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookUrlPolicy:
    """Which URLs a run's `webhook` may name."""

    require_https: bool = False
    allowed_domains: tuple[str, ...] = ()
    allowed_ports: tuple[int, ...] = ()
    max_url_length: int | None = None
    disable_loopback: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfig:
    """The section `webhooks`."""

    env_prefix: str = "LG_WEBHOOK_"
    url: WebhookUrlPolicy = WebhookUrlPolicy()
    #: Headers of every webhook; values may contain `${{ env.NAME }}`.
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class UiConfig:
    """The section `ui_config`."""

    #: npm packages that the page provides, so that they are left out of the bundles.
    shared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectConfig:
    """All sections; a section that langgraph.json leaves out has its defaults."""

    store: StoreConfig = StoreConfig()
    checkpointer: CheckpointerConfig = CheckpointerConfig()
    auth: AuthConfig = AuthConfig()
    http: HttpConfig = HttpConfig()
    webhooks: WebhookConfig = WebhookConfig()
    #: By graph, the file of its UI components.
    ui: Mapping[str, str] = field(default_factory=dict[str, str])
    ui_config: UiConfig = UiConfig()
