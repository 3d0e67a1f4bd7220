"""Updates of a thread's state on the wire."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from wire.bodies import Body, JsonObject
from wire.runs import Command
from wire.thread_state import CheckpointRef

#: All super-steps are written in one batch, and a request may send D1 1,000 statements.
MAX_SUPERSTEPS: Final = 200


class StateUpdate(Body):
    """The body of POST /threads/{thread_id}/state."""

    values: JsonObject | list[Any] | None = None
    as_node: str | None = None
    #: The checkpoint to fork from; the latest by default.
    checkpoint: CheckpointRef | None = None
    checkpoint_id: str | None = None


class SuperstepUpdate(Body):
    """What one node wrote; a command that is not empty takes precedence over `values`."""

    as_node: str
    values: JsonObject | list[Any] | None = None
    command: Command | None = None


class Superstep(Body):
    """What several nodes wrote in one super-step."""

    updates: Annotated[list[SuperstepUpdate], Field(min_length=1)]


class StateUpdated(BaseModel):
    """The checkpoint that a state update has created."""

    checkpoint: JsonObject
    configurable: JsonObject
    checkpoint_id: str
