"""The members of the agency: one node each. Ordinary functions; what waits for a model is async."""

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from agent.models import chat_model
from agent.state import AgencyState

#: The editor accepts a draft at the latest when it is this often revised.
MAX_REVISIONS = 2


def planner(state: AgencyState) -> dict[str, Any]:
    """Break the topic into sections."""
    topic = state.get("topic") or _last_words(state) or "durable agents"
    plan = [f"What {topic} is", f"Why {topic} matters", f"Where to begin with {topic}"]
    return {
        "topic": topic,
        "plan": plan,
        "revision": 0,
        "feedback": "",
        "article": "",
        "messages": [AIMessage("Plan: " + "; ".join(plan), name="planner")],
    }


async def researcher(state: AgencyState) -> dict[str, Any]:
    """Collect a note for each section."""
    notes = [await _ask("researcher", f"One fact for the section: {section}") for section in state["plan"]]
    return {"notes": [note.text for note in notes], "messages": notes[-1:]}


async def writer(state: AgencyState) -> dict[str, Any]:
    """Write the first draft, or the next one with the editor's feedback."""
    task = f"Write a short article about {state['topic']} from these notes: {' '.join(state['notes'])}"
    if state["feedback"]:
        task += f"\nThe editor asks: {state['feedback']}\nLast draft: {state['draft']}"
    answer = await _ask("writer", task)
    return {"draft": answer.text, "revision": state["revision"] + 1, "messages": [answer]}


def editor(state: AgencyState) -> dict[str, Any]:
    """Accept the draft, or send it back with what is missing. The first one always goes back."""
    if state["revision"] < MAX_REVISIONS:
        feedback = "shorter sentences, and an ending that tells the reader what to do next."
        return {"feedback": feedback, "messages": [AIMessage(f"Please revise: {feedback}", name="editor")]}
    article = f"# {state['topic'].capitalize()}\n\n{state['draft']}"
    return {"feedback": "", "article": article, "messages": [AIMessage("Accepted.", name="editor")]}


def is_accepted(state: AgencyState) -> bool:
    """Where the editor sends the draft: out, or back to the writer."""
    return bool(state["article"])


async def _ask(member: str, task: str) -> AIMessage:
    role = SystemMessage(f"You are the {member} of a small editorial agency. Answer in two or three sentences.")
    answer = await chat_model().ainvoke([role, HumanMessage(task)])
    return answer.model_copy(update={"name": member})


def _last_words(state: AgencyState) -> str:
    said = [message for message in state.get("messages", []) if isinstance(message, HumanMessage)]
    return said[-1].text if said else ""
