"""The local server comes back from a crash, so that the other tests may kill it."""

import asyncio
import os
import re
import signal
import socket
import subprocess

from langgraph_sdk.client import LangGraphClient

from tests.support.waiting import until
from tools.local_server import GAVE_UP, Server

RESTART_SECONDS = 60


def parent_and_port(workerd: int) -> tuple[int, int]:
    """The wrangler that runs a workerd, and the port it insists on; the first workerd was to take any."""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "ppid=,args=", "-p", str(workerd)], text=True, capture_output=True, check=True
    ).stdout
    found = re.match(r"\s*(\d+) .* --socket-addr=entry=127\.0\.0\.1:([1-9]\d*)\s", listed)
    assert found, listed
    return int(found[1]), int(found[2])


async def taken(port: int) -> socket.socket:
    """A server of ours on a port whose owner is dying."""

    async def take() -> socket.socket | None:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            return None

    return await until(f"port {port} is free", take)


async def test_all_of_it_starts_again_when_another_program_takes_the_port_of_a_killed_worker(
    server: Server, client: LangGraphClient, thread_id: str
) -> None:
    await asyncio.to_thread(server.wait_until_restarted, server.kill_workerd(), RESTART_SECONDS)
    logged = len(server.log())
    wrangler, port = parent_and_port(server.workerd_pid())
    os.kill(wrangler, signal.SIGSTOP)  # It must not be faster than the other program.
    try:
        killed = server.kill_workerd()
        taker = await taken(port)
    finally:
        os.kill(wrangler, signal.SIGCONT)
    with taker:
        await asyncio.to_thread(server.wait_until_restarted, killed, RESTART_SECONDS)
    assert GAVE_UP in server.log()[logged:]
    assert (await client.threads.get(thread_id))["thread_id"] == thread_id
