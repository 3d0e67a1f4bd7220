"""The server about itself: whether it is up, its versions and features."""

from importlib.metadata import version
from typing import Final

from pydantic import Field

from api.context import Call
from compact_json import compact_json
from http_messages import Reply, json_response
from ports import Statement
from settings import VERSION
from wire.queries import Query

#: The host information of a deployment on LangGraph's platform.
_HOST: Final = {
    "kind": "self-hosted",
    "project_id": None,
    "host_revision_id": None,
    "revision_id": None,
    "tenant_id": None,
}


class OkQuery(Query):
    """The query of GET /ok."""

    check_db: str = Field("0", description="`1` or `true` to ask the database as well, which may answer 503.")


async def ok(call: Call[None, OkQuery]) -> Reply:
    """Whether the server is up."""
    if call.query.check_db.lower() in ("1", "true"):
        await call.services.db.batch([Statement("SELECT 1")])
    return json_response('{"ok":true}' if call.services.config.http.disable_meta else '{"ok":true,"services":{}}')


async def info(call: Call[None, None]) -> Reply:
    """Versions and features; the names of the graphs only if the server is open to everybody."""
    services = call.services
    return json_response(
        compact_json(
            {
                "version": VERSION,
                "langgraph_py_version": version("langgraph"),
                "flags": {
                    "assistants": True,
                    "crons": True,
                    "langsmith": False,
                    "langsmith_tracing_replicas": False,
                    "langsmith_tracing_session_on_runs": False,
                },
                "host": _HOST,
                **({"graphs": list(services.registry.graph_ids())} if services.gatekeeper.is_open else {}),
            }
        )
    )
