"""The agent card, which A2A callers read first."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from wire.bodies import JsonObject


class AgentCardObject(BaseModel):
    """The card of an assistant, for callers of either version."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    name: str
    description: str
    url: str
    protocol_version: str
    preferred_transport: str
    supported_interfaces: list[JsonObject]
    capabilities: JsonObject
    default_input_modes: list[str]
    default_output_modes: list[str]
    skills: list[JsonObject]
    version: str
