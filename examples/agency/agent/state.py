"""What the members of the agency share."""

from typing import Annotated, TypedDict

from langchain_core.messages import AnyMessage
from langgraph.graph.message import add_messages


class AgencyState(TypedDict, total=False):
    """Give `topic`, or say it in the last of `messages`; `article` is the result."""

    messages: Annotated[list[AnyMessage], add_messages]
    topic: str
    plan: list[str]
    notes: list[str]
    draft: str
    #: How many drafts the writer has handed in.
    revision: int
    #: What the editor wants changed; empty once the draft is accepted.
    feedback: str
    article: str
