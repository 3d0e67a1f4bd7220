"""Changes of a thread's state on the wire."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from wire.bodies import Body, JsonObject
from wire.runs import Command
from wire.thread_state import CheckpointRef

#: All of them are written in one batch, and a request may run 1000 statements.
MAX_SUPERSTEPS: Final = 200


class StateUpdate(Body):
    """The body of POST /threads/{thread_id}/state."""

    values: JsonObject | list[Any] | None = None
    as_node: str | None = None
    #: Where to fork from; the latest checkpoint unless one is named.
    checkpoint: CheckpointRef | None = None
    checkpoint_id: str | None = None


class SuperstepUpdate(Body):
    """What one node wrote; a command that says anything comes before values."""

    as_node: str
    values: JsonObject | list[Any] | None = None
    command: Command | None = None


class Superstep(Body):
    """What the nodes wrote at the same time."""

    updates: Annotated[list[SuperstepUpdate], Field(min_length=1)]


class StateUpdated(BaseModel):
    """The checkpoint that a change of the state has made."""

    checkpoint: JsonObject
    configurable: JsonObject
    checkpoint_id: str
