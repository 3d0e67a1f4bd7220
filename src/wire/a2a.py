"""A2A on the wire: the parameters that callers send, in version 0.3 of the protocol or 1.0."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from wire.bodies import Body


class _Params(Body):
    """Names are in camel case.

    The snake case of these fields is accepted, too: the JSON of protocol buffers may have it.
    """

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


class A2aFile(_Params):
    """A file, in version 0.3."""

    uri: str | None = None
    bytes: str | None = None
    mime_type: str | None = None
    name: str | None = None


class A2aPart(_Params):
    """A part of a message: a text, data, or a file. Version 1.0 has no separate object for files."""

    text: str | None = None
    data: Any = None
    file: A2aFile | None = None
    url: str | None = None
    raw: str | None = None
    media_type: str | None = None
    filename: str | None = None


class A2aMessage(_Params):
    """A message of a caller."""

    message_id: Annotated[str, Field(min_length=1, max_length=1000)]
    parts: Annotated[list[A2aPart], Field(min_length=1)]
    #: The conversation to continue: a thread.
    context_id: str | None = None
    #: The task of the same conversation whose question this answers.
    task_id: str | None = None


class A2aConfiguration(_Params):
    """How a caller wants to be answered."""

    #: False in 0.3, or True in 1.0: answer at once, with a task that has not ended.
    blocking: bool | None = None
    return_immediately: bool | None = None
    history_length: Annotated[int, Field(ge=0)] | None = None


class SendParams(_Params):
    """The parameters of `message/send`, `message/stream` and their counterparts in 1.0."""

    message: A2aMessage
    configuration: A2aConfiguration | None = None


class TaskParams(_Params):
    """The parameters of a method that concerns one task."""

    id: str
    history_length: Annotated[int, Field(ge=0)] | None = None


class ListParams(_Params):
    """The parameters of `ListTasks`."""

    context_id: str | None = None
    status: str | None = None
    page_size: Annotated[int, Field(ge=1, le=100)] = 50
    page_token: str | None = None
    history_length: Annotated[int, Field(ge=0)] | None = None
    include_artifacts: bool = False
