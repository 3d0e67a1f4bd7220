"""Threads: their life, search and copies."""

from tools.differential.session import Session


async def life(server: Session) -> None:
    thread_id = await server.new_thread(metadata={"a": 1, "b": {"c": [1, 2]}})
    path = f"/threads/{thread_id}"
    await server.get(path)
    await server.patch(path, {"metadata": {"a": 2, "new": None}})
    await server.ask("PATCH", path, {"metadata": {"quiet": True}}, headers={"prefer": "return=minimal"})
    await server.get(path)
    await server.delete(path)
    await server.get(path)
    await server.delete(path)
