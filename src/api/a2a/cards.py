"""Agent cards: the name of an assistant, its address and its input. One card serves both versions."""

from typing import Any, Final

from api.context import Call
from graphs.inputs import Input
from settings import VERSION
from tables.assistants import Assistant
from wire.agent_cards import AgentCardObject
from wire.bodies import JsonObject

MODES: Final = ["application/json", "text/plain"]

#: The header by which callers choose whether a task contains only its own messages or the whole conversation.
HISTORY_SCOPE: Final = "LangGraph-A2A-History-Scope"

_CAPABILITIES: Final[JsonObject] = {
    "streaming": True,
    "pushNotifications": False,
    "stateTransitionHistory": False,
    "extensions": [
        {
            "uri": "https://langchain.com/a2a/extensions/history-scope/v1",
            "description": "Choose task-only or full-context response history",
            "required": False,
            "params": {
                "header": HISTORY_SCOPE,
                "values": ["context", "task"],
                "default": "context",
                "methods": ["SendMessage", "GetTask", "ListTasks"],
            },
        }
    ],
}


def card(call: Call[Any, Any], assistant: Assistant, takes: Input) -> JsonObject:
    """The card of an assistant."""
    url = f"{call.request.origin}{call.services.mount_prefix}/a2a/{assistant.assistant_id}"
    description = assistant.description or f"{assistant.name} assistant"
    fields = list(takes.fields)
    described: JsonObject = {"required": takes.schema.get("required", []), "properties": fields}
    skill: JsonObject = {
        "id": f"{assistant.assistant_id}-main",
        "name": f"{assistant.name} Capabilities",
        "description": description,
        "tags": ["assistant", "langgraph"],
        "examples": [],
        "inputModes": MODES,
        "outputModes": MODES,
        "metadata": {"inputSchema": {**described, "supportsA2A": "messages" in fields}},
    }
    return AgentCardObject(
        name=assistant.name,
        description=description,
        url=url,
        protocol_version="0.3.0",
        preferred_transport="JSONRPC",
        supported_interfaces=[{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        capabilities=_CAPABILITIES,
        default_input_modes=MODES,
        default_output_modes=MODES,
        skills=[skill],
        version=VERSION,
    ).model_dump(by_alias=True)
