"""The state of threads: reading, updating, travelling in time."""

from typing import Any

from tools.differential.session import Session


async def _ran(server: Session, assistant_id: str, graph_input: Any) -> str:
    thread_id = await server.new_thread()
    await server.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": assistant_id, "input": graph_input})
    return f"/threads/{thread_id}"


async def of_a_new_thread(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    await server.get(f"{path}/state")
    await server.get(f"{path}/history")
    await server.post(f"{path}/history", {})
    missing = f"/threads/{server.new_id()}"
    await server.get(f"{missing}/state")
    await server.get(f"{missing}/history")
    await server.post(f"{missing}/history", {})


async def after_a_run(server: Session) -> None:
    path = await _ran(server, "sequence", {"topic": "t"})
    await server.get(f"{path}/state")
    await server.get(f"{path}/state?subgraphs=true")
    await server.get(f"{path}/history")
    await server.get(f"{path}/history?limit=100")


async def after_a_failure(server: Session) -> None:
    path = await _ran(server, "failing", {"log": []})
    await server.get(f"{path}/state")
    await server.get(f"{path}/history?limit=10")


async def at_a_checkpoint(server: Session) -> None:
    path = await _ran(server, "sequence", {"topic": "t"})
    states = await server.get(f"{path}/history?limit=100")
    for state in states[:3]:
        await server.get(f"{path}/state/{state['checkpoint_id']}")
        await server.post(f"{path}/state/checkpoint", {"checkpoint": state["checkpoint"]})
    await server.get(f"{path}/state/{server.new_id()}")
    await server.get(f"{path}/state/x")
    for body in ({}, {"checkpoint": "x"}, {"checkpoint": {"checkpoint_id": "x"}}):
        await server.post(f"{path}/state/checkpoint", body)


async def history_filters(server: Session) -> None:
    path = await _ran(server, "sequence", {"topic": "t"})
    states = await server.post(f"{path}/history", {"limit": 100})
    before = {"configurable": {"checkpoint_id": states[1]["checkpoint_id"]}}
    for query in (
        {},
        {"limit": 2},
        {"limit": 2, "before": before},
        {"limit": 10, "metadata": {"step": 2}},
        {"limit": 10, "metadata": {"source": "input"}},
        {"limit": 0},
        {"limit": 1001},
        {"metadata": "x"},
    ):
        await server.post(f"{path}/history", query)


async def history_before(server: Session) -> None:
    path = await _ran(server, "sequence", {"topic": "t"})
    states = await server.post(f"{path}/history", {"limit": 100})
    checkpoint = states[1]["checkpoint"]
    for before in (checkpoint["checkpoint_id"], checkpoint):
        await server.post(f"{path}/history", {"limit": 1, "before": before})
    await server.get(f"{path}/history?limit=1&before={checkpoint['checkpoint_id']}")


async def of_an_interrupted_subgraph(server: Session) -> None:
    path = await _ran(server, "nested", {"trail": []})
    await server.get(f"{path}/state")
    await server.get(f"{path}/state?subgraphs=true")
    await server.get(f"{path}/history?limit=10")


async def update(server: Session) -> None:
    path = await _ran(server, "sequence", {"topic": "t"})
    await server.post(f"{path}/state", {"values": {"topic": "u"}})
    await server.get(f"{path}/state")
    await server.get(path)
    await server.post(f"{path}/state", {"values": {"messages": ["by hand"]}, "as_node": "planner"})
    await server.get(f"{path}/state")
    await server.get(path)
    await server.post(f"{path}/state", {"values": None, "as_node": "__end__"})
    await server.get(f"{path}/state")
    await server.post(f"{path}/state", {"values": None, "as_node": "__copy__"})
    await server.post(f"{path}/state", {"values": None})
    await server.get(f"{path}/history?limit=100")


async def update_and_run_on(server: Session) -> None:
    path = await _ran(server, "approval", {"draft": "d"})
    await server.post(f"{path}/state", {"values": {"decision": "by hand"}, "as_node": "approve"})
    await server.get(path)
    await server.post(f"{path}/runs/wait", {"assistant_id": "approval", "input": None})


async def update_refused(server: Session) -> None:
    path = await _ran(server, "sequence", {"topic": "t"})
    for body in (
        {"values": {"topic": "u"}, "as_node": "bogus"},
        {"values": ["a", "b"]},
        {"values": "x"},
        {"values": {}, "checkpoint_id": "x"},
        {"values": {}, "checkpoint": "x"},
    ):
        await server.post(f"{path}/state", body)
    await server.post(f"/threads/{await server.new_thread()}/state", {"values": {"a": 1}})
    await server.post(f"/threads/{server.new_id()}/state", {"values": {"a": 1}})
    await server.patch(f"{path}/state", {"metadata": {}})


async def update_while_busy(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    await server.post(f"{path}/runs", {"assistant_id": "slow", "input": {"seconds": 0}, "after_seconds": 600})
    await server.post(f"{path}/state", {"values": {"seconds": 1}})


async def fork(server: Session) -> None:
    path = await _ran(server, "sequence", {"topic": "t"})
    states = await server.get(f"{path}/history?limit=100")
    checkpoint = states[2]["checkpoint"]
    await server.post(f"{path}/state", {"values": {"messages": ["forked"]}, "checkpoint": checkpoint})
    await server.get(f"{path}/state")
    await server.post(f"{path}/runs/wait", {"assistant_id": "sequence", "input": None})
    body = {"assistant_id": "sequence", "input": None, "checkpoint_id": checkpoint["checkpoint_id"]}
    await server.post(f"{path}/runs/wait", body)
    await server.post(f"{path}/runs/wait", {**body, "input": {"topic": "branch"}})
    await server.get(f"{path}/history?limit=100")


async def replay_refused(server: Session) -> None:
    path = await _ran(server, "sequence", {"topic": "t"})
    await server.post(f"{path}/runs/wait", {"assistant_id": "sequence", "checkpoint_id": "x"})
    await server.post(f"{path}/runs/wait", {"assistant_id": "sequence", "checkpoint": {"checkpoint_id": "x"}})
    body = {"assistant_id": "sequence", "input": {"topic": "u"}, "checkpoint_id": server.new_id()}
    await server.post(f"{path}/runs/wait", body)


async def functional(server: Session) -> None:
    path = await _ran(server, "functional", [1, 2])
    await server.get(f"{path}/state")
    await server.get(path)
    await server.post(f"{path}/runs/wait", {"assistant_id": "functional", "input": [3]})
