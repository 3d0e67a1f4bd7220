"""One node that calls a model, which streams the same words every time."""

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph


async def model(state: MessagesState) -> dict[str, list[AIMessage]]:
    fake = GenericFakeChatModel(messages=iter([AIMessage("Hello brave new world")]))
    return {"messages": [await fake.ainvoke(state["messages"])]}


graph = StateGraph(MessagesState).add_node(model).add_edge(START, "model").compile()
