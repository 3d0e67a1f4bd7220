"""G4: a chat whose model streams 200 tokens."""

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph

#: The fake model streams words and the spaces between them: 200 chunks.
WORDS = 101
ANSWER = " ".join(["token"] * (WORDS - 1)) + " "


async def model(state: MessagesState) -> dict[str, list[AIMessage]]:
    """Answer with as many tokens."""
    fake = GenericFakeChatModel(messages=iter([AIMessage(ANSWER)]))
    answer = await fake.ainvoke(state["messages"])
    return {"messages": [AIMessage(answer.text, id=answer.id)]}


graph = StateGraph(MessagesState).add_node(model).add_edge(START, "model").compile()
