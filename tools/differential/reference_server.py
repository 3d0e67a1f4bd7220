"""`langgraph dev`, LangGraph's own development server, in an environment of its own.

Its licence forbids reading it for a work like this one. It is a program that is talked to over HTTP, nothing more:
it is installed below `.superstep/`, never next to Superstep's packages, and nothing of it is shipped.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Final

from tools import local_server, paths, progress
from tools.errors import SetupError

ENVIRONMENT: Final = paths.BUILD / "langgraph-dev"
STAMP: Final = ENVIRONMENT / "superstep.stamp"
RUNS_AT_ONCE: Final = 50
START_TIMEOUT_SECONDS: Final = 120
STOP_TIMEOUT_SECONDS: Final = 10
POLL_SECONDS: Final = 0.1


def ensure_installed() -> None:
    """Install what the lock file says, unless that is done."""
    wanted = paths.DIFFERENTIAL_LOCK.read_text()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    with progress.step("Installing langgraph dev into an environment of its own"):
        _uv("venv", "--quiet", "--clear", f"--python={sys.executable}", str(ENVIRONMENT))
        lock = ["--require-hashes", f"--requirement={paths.DIFFERENTIAL_LOCK}"]
        _uv("pip", "install", "--quiet", f"--python={ENVIRONMENT / 'bin' / 'python'}", *lock)
    STAMP.write_text(wanted)


def _uv(*arguments: str) -> None:
    finished = subprocess.run([sys.executable, "-m", "uv", *arguments], text=True, capture_output=True, check=False)
    if finished.returncode:
        raise SetupError(f"uv could not install langgraph dev:\n{finished.stderr.strip()}")


@contextlib.contextmanager
def serve(project: Path, *, port: int, log_path: Path) -> Generator[str]:
    """The address of a server of `project`'s langgraph.json, stopped at the end; its state is kept in memory."""
    ensure_installed()
    local_server.require_free_port(port)
    command = [str(ENVIRONMENT / "bin" / "langgraph"), "dev", "--no-browser", "--no-reload", "--allow-blocking"]
    command += [f"--n-jobs-per-worker={RUNS_AT_ONCE}", "--host=127.0.0.1", f"--port={port}", "--config=langgraph.json"]
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=project,
            env={**os.environ, "LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, url, log_path)
        yield url
    finally:
        _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log_path: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(log_path.read_text(errors="replace").splitlines()[-30:])
            raise SetupError(f"langgraph dev does not answer\n{tail}")
        time.sleep(POLL_SECONDS)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/ok", timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_SECONDS)
