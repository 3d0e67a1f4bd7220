"""Questions to people, their answers, and breakpoints."""

from tools.differential.session import Session


async def ask_and_answer(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    await server.post(f"{path}/runs/wait", {"assistant_id": "approval", "input": {"draft": "d"}})
    await server.get(path)
    await server.get(f"{path}/state")
    await server.get(f"{path}/runs")
    await server.post(f"{path}/runs/wait", {"assistant_id": "approval", "command": {"resume": {"a": [1, None]}}})
    await server.get(path)
    await server.get(f"{path}/state")
    await server.get(f"{path}/history?limit=20")


async def answer_by_id(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    asked = await server.post(f"{path}/runs/wait", {"assistant_id": "approval", "input": {"draft": "d"}})
    answer = {asked["__interrupt__"][0]["id"]: "yes"}
    body = {"assistant_id": "approval", "command": {"resume": answer}, "stream_mode": ["values", "updates"]}
    await server.post(f"{path}/runs/stream", body)
    await server.get(path)


async def ask_again(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    await server.post(f"{path}/runs/wait", {"assistant_id": "approval", "input": {"draft": "d"}})
    await server.post(f"{path}/runs/wait", {"assistant_id": "approval", "input": None})
    await server.post(f"{path}/runs/wait", {"assistant_id": "approval", "input": {"draft": "e"}})
    await server.get(path)


async def jump_over(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    await server.post(f"{path}/runs/wait", {"assistant_id": "approval", "input": {"draft": "d"}})
    command = {"goto": "publish", "update": {"decision": "none"}}
    await server.post(f"{path}/runs/wait", {"assistant_id": "approval", "command": command})
    await server.get(path)
    await server.get(f"{path}/state")


async def breakpoints(server: Session) -> None:
    run = {"assistant_id": "sequence", "input": {"topic": "t"}}
    for point in (
        {"interrupt_before": ["writer"]},
        {"interrupt_after": ["writer"]},
        {"interrupt_before": "*"},
        {"interrupt_after": "*"},
        {"interrupt_before": ["nobody"]},
    ):
        path = f"/threads/{await server.new_thread()}"
        await server.post(f"{path}/runs/wait", {**run, **point})
        await server.get(path)
        await server.get(f"{path}/state")
        await server.post(f"{path}/runs/stream", {**run, "input": None, "stream_mode": ["values", "updates"]})
        await server.get(path)


async def breakpoints_in_streams(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    body = {"assistant_id": "sequence", "input": {"topic": "t"}, "interrupt_before": ["writer"]}
    await server.post(f"{path}/runs/stream", {**body, "stream_mode": ["values", "updates"]})
    [run] = await server.get(f"{path}/runs")
    await server.get(f"{path}/runs/{run['run_id']}/join")


async def inside_a_subgraph(server: Session) -> None:
    path = f"/threads/{await server.new_thread()}"
    body = {"assistant_id": "nested", "input": {"trail": []}, "interrupt_before": ["inner_second"]}
    await server.post(f"{path}/runs/wait", body)
    await server.get(path)
    await server.get(f"{path}/state?subgraphs=true")
