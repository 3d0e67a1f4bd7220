"""What graphs can do, seen from outside: each feature in every stream mode, and the state that it leaves."""

import uuid
from typing import Any, Final

from tools.differential.session import Session

#: `messages` and `events` have scripts of their own.
MODES: Final = ("values", "updates", "custom", "tasks", "checkpoints", "debug")
HELLO: Final = [{"role": "user", "content": "hi"}]


async def _stream(server: Session, thread_id: str, graph_id: str, **body: Any) -> Any:
    wanted = {"assistant_id": graph_id, "stream_mode": MODES, **body}
    return await server.post(f"/threads/{thread_id}/runs/stream", wanted)


async def _wait(server: Session, thread_id: str, graph_id: str, **body: Any) -> Any:
    return await server.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": graph_id, **body})


async def _look(server: Session, thread_id: str) -> None:
    """Everything that a thread shows after a run."""
    await server.get(f"/threads/{thread_id}")
    await server.get(f"/threads/{thread_id}/state?subgraphs=true")
    await server.get(f"/threads/{thread_id}/state")
    await server.post(f"/threads/{thread_id}/history", {"limit": 20})
    await server.get(f"/threads/{thread_id}/runs")


async def questions_at_once(server: Session) -> None:
    thread_id = await server.new_thread()
    values = await _wait(server, thread_id, "questions_at_once", input={"answers": []})
    await _look(server, thread_id)
    await _wait(server, thread_id, "questions_at_once", command={"resume": "which?"})
    one, two = (question["id"] for question in values["__interrupt__"])
    await _stream(server, thread_id, "questions_at_once", command={"resume": {one: "first!"}})
    await _look(server, thread_id)
    await _stream(server, thread_id, "questions_at_once", command={"resume": {two: {"choice": 1}}})
    await _look(server, thread_id)
    await _wait(server, thread_id, "questions_at_once", input={"answers": ["again"]})
    values = await _wait(server, thread_id, "questions_at_once", input=None)
    ids = [question["id"] for question in values["__interrupt__"]]
    await _wait(server, thread_id, "questions_at_once", command={"resume": dict.fromkeys(ids, "both")})


async def questions_in_subgraphs(server: Session) -> None:
    thread_id = await server.new_thread()
    await _stream(server, thread_id, "questions_nested", input={"answers": ["in"]}, stream_subgraphs=True)
    await _look(server, thread_id)
    frames = await _stream(server, thread_id, "questions_nested", command={"resume": "one"}, stream_subgraphs=True)
    await _look(server, thread_id)
    last = [frame["data"] for frame in frames if frame.get("event") == "values"][-1]
    answer = {last["__interrupt__"][0]["id"]: "two"}
    await _stream(server, thread_id, "questions_nested", command={"resume": answer}, stream_subgraphs=True)
    await _look(server, thread_id)


async def commands_of_nodes(server: Session) -> None:
    for trail in (["left"], ["in"]):
        for subgraphs in (False, True):
            thread_id = await server.new_thread()
            await _stream(server, thread_id, "routes_commands", input={"trail": trail}, stream_subgraphs=subgraphs)
            await _look(server, thread_id)


async def fan_out(server: Session) -> None:
    thread_id = await server.new_thread()
    await _stream(server, thread_id, "routes_fan_out", input={"trail": ["in"]})
    await _look(server, thread_id)
    await _stream(server, thread_id, "routes_fan_out", command={"goto": {"node": "work", "input": {"number": 9}}})
    destinations = [{"node": "work", "input": {"number": number}} for number in (7, 8)]
    await _stream(server, thread_id, "routes_fan_out", command={"goto": destinations, "update": {"trail": ["u"]}})
    await _stream(server, thread_id, "routes_fan_out", command={"goto": ["detour", "work"]})
    await _stream(server, thread_id, "routes_fan_out", command={"goto": "nowhere"})
    await _stream(server, thread_id, "routes_fan_out", command={"update": [["trail", ["a"]], ["trail", ["b"]]]})
    await _stream(server, thread_id, "routes_fan_out", command={"update": {"nothing": 1}})
    await _stream(server, thread_id, "routes_fan_out", command={"goto": "__end__"})
    await _look(server, thread_id)


async def managed_values(server: Session) -> None:
    for limit in (3, 5):
        thread_id = await server.new_thread()
        await _stream(server, thread_id, "routes_managed", input={"seen": []}, config={"recursion_limit": limit})
        await _look(server, thread_id)
    await _wait(server, thread_id, "routes_managed", input={"seen": []}, config={"recursion_limit": 1})
    await _look(server, thread_id)


async def subgraphs_with_memory(server: Session) -> None:
    for graph_id in ("nesting_forgetful", "nesting_remembering", "nesting_stateless", "nesting_blocking"):
        thread_id = await server.new_thread()
        for text in ("one", "three"):
            await _stream(server, thread_id, graph_id, input={"text": text}, stream_subgraphs=True)
            await _look(server, thread_id)


async def retries(server: Session) -> None:
    for failures in (1, 2, 3):
        thread_id = await server.new_thread()
        key = f"retries-{failures}-{thread_id}"
        await _stream(server, thread_id, "policies_retried", input={"key": key, "failures": failures})
        await _look(server, thread_id)


async def caches(server: Session) -> None:
    key = str(uuid.uuid4())
    for graph_id in ("policies_cached_by_server", "policies_cached_by_itself"):
        for _ in range(2):
            thread_id = await server.new_thread()
            await _stream(server, thread_id, graph_id, input={"key": f"{graph_id} {key}"})
            await _look(server, thread_id)


async def pydantic_state(server: Session) -> None:
    thread_id = await server.new_thread()
    await _stream(server, thread_id, "schemas_pydantic", input={"name": "Ada", "age": 36})
    await _look(server, thread_id)
    await _stream(server, thread_id, "schemas_pydantic", command={"resume": "yes"})
    await _look(server, thread_id)
    await _stream(server, thread_id, "schemas_pydantic", command={"update": {"age": -1}, "goto": "move"})
    await _look(server, thread_id)
    for given in ({"name": "Ada", "age": -1}, {"name": 7}, "Ada", ["Ada"], {}):
        thread_id = await server.new_thread()
        await _stream(server, thread_id, "schemas_pydantic", input=given)
        await _look(server, thread_id)


async def dataclass_state(server: Session) -> None:
    for given in ({"x": 1}, {"x": 1, "z": 3}):
        thread_id = await server.new_thread()
        await _stream(server, thread_id, "schemas_dataclass_state", input=given)
        await _look(server, thread_id)


async def contexts(server: Session) -> None:
    thread_id = await server.new_thread()
    for graph_id in ("schemas_context_dataclass", "schemas_context_pydantic", "sequence"):
        for context in ({"model": "big", "unknown": 1}, {}, {"temperature": 2}, {"model": 7}):
            await _wait(server, thread_id, graph_id, input={"told": None}, context=context)
            await _wait(server, thread_id, graph_id, input={"told": None}, config={"configurable": context})


async def functions(server: Session) -> None:
    thread_id = await server.new_thread()
    key = str(uuid.uuid4())
    for numbers in ([1, 2], [3]):
        await _stream(server, thread_id, "functions_sums", input={"numbers": numbers, "key": key})
        await _look(server, thread_id)


async def blocking_functions(server: Session) -> None:
    thread_id = await server.new_thread()
    await _stream(server, thread_id, "functions_blocking", input="a")
    await _look(server, thread_id)
    await _stream(server, thread_id, "functions_blocking", command={"resume": "fine"})
    await _look(server, thread_id)


async def agent(server: Session) -> None:
    for content in ("reverse abc", "count x", "hand_over x", "nothing x"):
        thread_id = await server.new_thread()
        await _stream(server, thread_id, "agents_react", input={"messages": content})
        await _look(server, thread_id)
    thread_id = await server.new_thread()
    await _stream(server, thread_id, "agents_react", input={"messages": "ask weather"}, stream_subgraphs=True)
    await _look(server, thread_id)
    await _stream(server, thread_id, "agents_react", command={"resume": "rain"})
    await _look(server, thread_id)


async def failing_tool(server: Session) -> None:
    thread_id = await server.new_thread()
    await _stream(server, thread_id, "agents_react", input={"messages": "fail please"})
    await _look(server, thread_id)


async def agent_tokens(server: Session) -> None:
    for mode in ("messages", "messages-tuple", "events", ["messages", "messages-tuple", "values"]):
        for content in ("reverse abc", "hand_over x"):
            thread_id = await server.new_thread()
            body = {"input": {"messages": [{"role": "user", "content": content}]}, "stream_mode": mode}
            await _stream(server, thread_id, "agents_react", **body)


async def chat_tokens(server: Session) -> None:
    for mode in ("messages", "messages-tuple", "events"):
        thread_id = await server.new_thread()
        await _stream(server, thread_id, "chat", input={"messages": HELLO}, stream_mode=mode)


async def message_coercion(server: Session) -> None:
    constructor = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "messages", "HumanMessage"],
        "kwargs": {"content": "constructed"},
    }
    for given in (
        "text",
        ["text", "two"],
        [["user", "pair"]],
        ["user", "pair"],
        {"role": "user", "content": "one"},
        [{"type": "human", "content": "typed", "id": "m-1"}],
        [{"type": "system", "content": "s"}, {"role": "assistant", "content": [{"type": "text", "text": "t"}]}],
        [constructor],
        [{"role": "nobody", "content": "x"}],
        [{"content": "x"}],
        7,
        None,
        [],
    ):
        thread_id = await server.new_thread()
        await _stream(server, thread_id, "chat", input={"messages": given}, stream_mode=["values", "updates"])
        await server.get(f"/threads/{thread_id}")


async def events(server: Session) -> None:
    for graph_id, given in (("sequence", {"topic": "t"}), ("nested", {"trail": ["in"]}), ("failing", {"log": []})):
        for subgraphs in (False, True):
            thread_id = await server.new_thread()
            body = {"input": given, "stream_mode": ["events"], "stream_subgraphs": subgraphs}
            await _stream(server, thread_id, graph_id, **body)


async def every_mode_at_once(server: Session) -> None:
    thread_id = await server.new_thread()
    await _stream(server, thread_id, "sequence", input={"topic": "t"}, stream_mode=[*MODES, "events"])
    await _stream(server, thread_id, "nested", input={"trail": ["in"]}, stream_subgraphs=True)
    await _look(server, thread_id)


async def factories(server: Session) -> None:
    for graph_id in ("factories_of_config", "factories_of_runtime", "factories_of_both", "factories_around"):
        thread_id = await server.new_thread()
        for word in ("word", "fail"):
            config = {"configurable": {"word": word}}
            await _stream(server, thread_id, graph_id, input={"told": None}, config=config)
        await _look(server, thread_id)


async def failing_factory(server: Session) -> None:
    thread_id = await server.new_thread()
    await _stream(server, thread_id, "factories_failing", input={"told": None})
    await server.get(f"/threads/{thread_id}")


async def mistakes(server: Session) -> None:
    for mistake in ("list", "scalar", "goto", "key", "reducer", "textless", "group", "unserializable", "two writers"):
        thread_id = await server.new_thread()
        await _stream(server, thread_id, "mistakes_graph", input={"mistake": mistake})
        await server.get(f"/threads/{thread_id}")
    for given in ("text", ["list"], {}, {"unknown": 1}, None, 7):
        thread_id = await server.new_thread()
        await _stream(server, thread_id, "mistakes_graph", input=given)
        await server.get(f"/threads/{thread_id}")


async def durability(server: Session) -> None:
    for durability in ("sync", "async", "exit"):
        for graph_id, given in (("sequence", {"topic": "t"}), ("failing", {"log": []}), ("approval", {"draft": "d"})):
            thread_id = await server.new_thread()
            await _stream(server, thread_id, graph_id, input=given, durability=durability)
            await _look(server, thread_id)
        thread_id = await server.new_thread()
        body = {"input": {"trail": ["in"]}, "durability": durability, "stream_subgraphs": True}
        await _stream(server, thread_id, "nested", **body)
        await _look(server, thread_id)


async def breakpoints(server: Session) -> None:
    for side in ("interrupt_before", "interrupt_after"):
        for where in ("*", ["researcher"], ["planner", "writer"], ["nowhere"], []):
            thread_id = await server.new_thread()
            await _stream(server, thread_id, "sequence", input={"topic": "t"}, **{side: where})
            await _stream(server, thread_id, "sequence", input=None, **{side: where})
            await _look(server, thread_id)


async def time_travel(server: Session) -> None:
    thread_id = await server.new_thread()
    await _wait(server, thread_id, "sequence", input={"topic": "t"})
    history = await server.post(f"/threads/{thread_id}/history", {"limit": 10})
    middle = history[2]["checkpoint"]
    await _stream(server, thread_id, "sequence", input=None, checkpoint=middle)
    await _stream(server, thread_id, "sequence", input=None, checkpoint_id=history[1]["checkpoint_id"])
    await _stream(server, thread_id, "sequence", input={"topic": "fork"}, checkpoint=middle)
    await _stream(server, thread_id, "sequence", input=None, checkpoint_id=server.new_id())
    await _stream(server, thread_id, "sequence", command={"update": {"topic": "u"}}, checkpoint=middle)
    await _look(server, thread_id)
