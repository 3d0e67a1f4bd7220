"""What a handler works with: the services of this Worker, and one parsed request."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore
from langgraph_sdk.runtime import AccessContext

import clock
import cross_origin
import ids
import trace_context
from auth.gatekeeper import Event, Gatekeeper
from auth.principal import Principal
from cross_origin import CrossOrigin
from d1_checkpointer import D1Saver
from graphs.factories import Purpose
from graphs.registry import Registry
from graphs.ui_bundles import UiBundles
from http_messages import HttpRequest, chosen_headers
from langgraph_terms import Graph
from ports import Database, RunQueue, ThreadObjects, WebhookQueue
from project_config.sections import ProjectConfig
from runs.creation import Creator
from settings import Settings
from tables.access import EVERYTHING, Access
from tables.idempotency_keys import IdempotencyKey
from tables.run_history import Stamp
from tables.threads import Ttl


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services that `entry.py` assembles from the Worker's bindings."""

    db: Database
    queue: RunQueue
    webhook_queue: WebhookQueue
    thread_objects: ThreadObjects
    registry: Registry
    settings: Settings
    #: The sections of langgraph.json other than its graphs.
    config: ProjectConfig
    gatekeeper: Gatekeeper
    #: A new checkpoint saver over the Worker's database.
    checkpointer: Callable[[], D1Saver]
    #: The store that graphs get as `runtime.store`.
    store: BaseStore
    ui: UiBundles
    #: The id of the Worker version that runs here.
    version: str

    def stamp(self) -> Stamp:
        """A stamp for changes to runs, made here and now."""
        return Stamp(clock.moment(), self.version)

    @property
    def cross_origin(self) -> CrossOrigin:
        """The CORS rules."""
        return cross_origin.policy(self.config.http.cors, self.settings.cors_allow_origins)

    @property
    def mount_prefix(self) -> str:
        """The prefix of every path; "" for none."""
        return self.config.http.mount_prefix or self.settings.mount_prefix

    def graphs(self) -> dict[str, str | None]:
        """The description of each graph."""
        return {graph_id: self.registry.description(graph_id) for graph_id in self.registry.graph_ids()}

    def default_ttl(self) -> Ttl | None:
        """The default TTL of threads: `checkpointer.ttl` in langgraph.json."""
        ttl = self.config.checkpointer.ttl
        return Ttl(minutes=ttl.default_ttl, strategy=ttl.strategy) if ttl and ttl.default_ttl else None


BodyT_co = TypeVar("BodyT_co", covariant=True)
QueryT_co = TypeVar("QueryT_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[BodyT_co, QueryT_co]):
    """One request to one route; ids in `path` are UUIDs in their stored form."""

    services: Services
    request: HttpRequest
    principal: Principal
    #: The rows within the caller's reach for the permission `on` of the route. Without `on` no rows: the handler asks
    #: itself.
    access: Access
    path: Mapping[str, str]
    body: BodyT_co
    query: QueryT_co
    #: By which a retry finds what this request creates; `api.creates` sees to it.
    key: IdempotencyKey | None = None
    #: The part of the request that must be the same in a retry, as JSON data; None means the whole body.
    says: Any = None
    #: Headers to add to the response; all copies of this call share them.
    reply_headers: dict[str, str] = field(default_factory=dict[str, str])

    async def authorize(self, event: Event, value: dict[str, Any]) -> Access:
        """For what a handler does besides that which its route is `on`. See `Gatekeeper.authorize`."""
        return await self.services.gatekeeper.authorize(self.principal, event, value)

    async def creator(self) -> Creator:
        """The caller of a route with the permission `threads.create_run`, who needs to read the assistant as well."""
        assistants = await self.runnable_assistants(cast(Any, self.body).assistant_id)
        return Creator(
            version=self.services.version,
            principal=self.principal,
            threads=self.access,
            assistants=assistants,
            request_id=self.request.headers.get("x-request-id"),
            trace=trace_context.received(self.request.headers),
            headers=chosen_headers(self.request.headers, self.services.config.http.configurable_headers),
            thread_ttl=self.services.default_ttl(),
            key=self.key,
        )

    async def runnable_assistants(self, assistant_id: str) -> Access:
        """The assistants of which the caller may create a run.

        System assistants are open to everybody without asking.
        """
        graph_ids = self.services.registry.graph_ids()
        if assistant_id in {*graph_ids, *map(ids.system_assistant, graph_ids)}:
            return EVERYTHING
        canonical = ids.canonical(assistant_id)
        return await self.authorize("assistants.read", {"assistant_id": canonical and UUID(canonical)})

    def open_graph(
        self, graph_id: str, config: RunnableConfig, access: AccessContext
    ) -> AbstractAsyncContextManager[Graph]:
        """A graph for another purpose than a run; see `Registry.open`.

        Its config names the caller, whatever was stored.
        """
        principal = self.principal
        configurable = {
            **config.get("configurable", {}),
            "langgraph_auth_user": principal.handle,
            "langgraph_auth_user_id": principal.identity,
            "langgraph_auth_permissions": principal.permissions,
        }
        asked = cast(RunnableConfig, {**config, "configurable": configurable})
        purpose = Purpose(access=access, config=asked, store=self.services.store, user=principal.handle)
        return self.services.registry.open(graph_id, purpose)
