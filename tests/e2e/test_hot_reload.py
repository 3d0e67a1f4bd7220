"""`make dev` in a checkout: an edit is served, a broken edit is reported, and its repair is served again."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.waiting import until
from tools import local_server, paths

#: Packages that the example asks for are installed into this checkout first.
START_SECONDS = 240
#: Loading the Worker anew takes seconds, twice that beside other tests.
RELOAD_SECONDS = 90

COPIED = ("examples", "migrations", "src", "tools", "vendor")


@dataclass(frozen=True)
class DevelopmentServer:
    """`python -m tools.serve` in a checkout of its own."""

    checkout: Path
    url: str

    @property
    def members(self) -> Path:
        """The nodes of the example agency."""
        return self.checkout / "examples" / "agency" / "agent" / "members.py"

    def log(self) -> str:
        """What the server said so far."""
        return (self.checkout / "serve.log").read_text(errors="replace")

    async def article(self) -> str | None:
        """What the agency writes; None while nobody answers."""
        body = {"assistant_id": "agency", "input": {"topic": "reloads"}}
        try:
            async with httpx.AsyncClient(timeout=60) as http:
                answer = await http.post(f"{self.url}/runs/wait", json=body)
        except httpx.TransportError:
            return None
        return answer.json()["article"] if answer.status_code == 200 else None


@pytest.fixture
def development_server(tmp_path: Path) -> Iterator[DevelopmentServer]:
    """A server whose files may be edited."""
    for name in COPIED:
        shutil.copytree(paths.ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "project"))
    for path in paths.ROOT.iterdir():
        if path.is_file() and not path.name.startswith(".dev.vars"):
            shutil.copy2(path, tmp_path)
    (tmp_path / "node_modules").symlink_to(paths.ROOT / "node_modules")
    port = local_server.free_port()
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.serve", f"--port={port}"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield DevelopmentServer(tmp_path, f"http://127.0.0.1:{port}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


async def test_edits_are_served_and_a_broken_one_is_survived(development_server: DevelopmentServer) -> None:
    server = development_server
    text = server.members.read_text()

    async def answers_with(part: str) -> bool:
        return part in (await server.article() or "")

    async def says_what_is_broken() -> bool:
        return "It starts again when a file changes." in server.log()

    await until("an answer", lambda: answers_with("# Reloads"), seconds=START_SECONDS)

    server.members.write_text(text.replace('f"# ', 'f"# Edited: '))
    await until("the edit", lambda: answers_with("# Edited: Reloads"), seconds=RELOAD_SECONDS)

    server.members.write_text(text + "\ndef broken(:\n")
    await until("the reason", says_what_is_broken, seconds=RELOAD_SECONDS)
    assert "importing agent/graph.py failed: SyntaxError" in server.log()

    server.members.write_text(text.replace('f"# ', 'f"# Repaired: '))
    await until("the repair", lambda: answers_with("# Repaired: Reloads"), seconds=RELOAD_SECONDS)
