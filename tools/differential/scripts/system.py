"""What is asked before the first run."""

from tools.differential.session import Session


async def health(server: Session) -> None:
    for path in ("/ok", "/ok?check_db=1", "/", "/info"):
        await server.get(path)


async def pages(server: Session) -> None:
    await server.get("/docs")
    await server.ask("GET", "/openapi.json")


async def metrics(server: Session) -> None:
    answer = await server.ask("HEAD", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")


async def metrics_as_json(server: Session) -> None:
    await server.get("/metrics?format=json")


async def preflight(server: Session) -> None:
    asks = {"origin": "https://chat.example", "access-control-request-method": "POST"}
    await server.ask("OPTIONS", "/threads", headers={**asks, "access-control-request-headers": "x-api-key"})
    await server.ask("GET", "/ok", headers={"origin": "https://chat.example"})
    await server.ask("OPTIONS", "/threads")


async def nothing_there(server: Session) -> None:
    await server.get("/nowhere")
    await server.get("/threads")
    await server.put("/threads", {})
    await server.get("/runs")
    await server.post("/threads/", {})
    await server.get(f"/runs/{server.new_id()}")
