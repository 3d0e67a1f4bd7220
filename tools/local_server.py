"""Superstep on local workerd, as a process that programs and tests start, kill and restart.

`wrangler dev` supervises two workerd processes: its own proxy, and the one with `--debug-port` that runs the Worker,
which it starts again whenever that one dies. All of them share one process group, so that nothing survives `stop`.
"""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tools import (
    bundle_project,
    local_config,
    node_runtime,
    paths,
    progress,
    pyodide_bundle,
    server_output,
    worker_copy,
    worker_packages,
)
from tools.errors import SetupError
from tools.server_output import Relay
from tools.snapshots import Snapshot

READY_PATH: Final = "/ok"
START_TIMEOUT_SECONDS: Final = 120
STOP_TIMEOUT_SECONDS: Final = 10
POLL_SECONDS: Final = 0.05
#: What wrangler says when it does not start a crashed workerd again.
GAVE_UP: Final = "The Workers runtime failed to restart after an unexpected crash"


@dataclass(slots=True, kw_only=True)
class Server:
    """One `wrangler dev`. After `kill` or `stop`, `start` serves the same state again."""

    port: int
    persist_to: Path
    config: Path
    vars: Mapping[str, str] = field(default_factory=dict[str, str])
    #: Where output goes; None shows it on this process's own standard error.
    log_path: Path | None = None
    #: Start from a memory snapshot of this very Worker, or make one; not for servers that reload on changes.
    use_snapshot: bool = True
    #: Where V8's inspector listens; 0 is any port.
    inspector_port: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _relay: Relay | None = None

    @property
    def url(self) -> str:
        """The address without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Apply the D1 migrations, start, and return when `/ok` answers 200."""
        require_free_port(self.port)
        self.persist_to.mkdir(parents=True, exist_ok=True)
        apply_migrations(self.config, self.persist_to)
        environment = wrangler_environment()
        snapshot = Snapshot.of(self.config, self.vars) if self.use_snapshot else None
        command = [*node_runtime.wrangler(), "dev", f"--config={self.config}", f"--port={self.port}"]
        command += [f"--persist-to={self.persist_to}", f"--inspector-port={self.inspector_port}"]
        command += ["--show-interactive-dev-session=false"]
        command += [f"--var={name}:{value}" for name, value in self.vars.items()]
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(self.log_path.open("ab")) if self.log_path else None
            self._process = subprocess.Popen(
                command,
                cwd=self.config.parent,
                env={**environment, **(snapshot.environment() if snapshot else {})},
                stdin=subprocess.DEVNULL,
                stdout=output or subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if self._process.stdout:
            self._relay = Relay(self._process.stdout)
            self._relay.start()
        try:
            self.wait_until_ready()
        except BaseException:
            self.kill()
            raise
        if snapshot:
            snapshot.keep()

    def wait_until_ready(self, timeout_seconds: float = START_TIMEOUT_SECONDS) -> None:
        """Return when `/ok` answers 200; raise with the end of the log when the server ends or the time is up."""
        deadline = time.monotonic() + timeout_seconds
        while not self._answers():
            if self._process is None or self._process.poll() is not None:
                raise SetupError(self.start_error() or f"the server ended before it was ready\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise SetupError(f"the server was not ready after {timeout_seconds:.0f} s\n{self.log_tail()}")
            time.sleep(POLL_SECONDS)

    def wait_until_restarted(self, killed_pid: int, timeout_seconds: float = START_TIMEOUT_SECONDS) -> None:
        """Return when another workerd than the killed one runs the Worker and answers.

        wrangler gives up when another program took the Worker's port meanwhile; then all of it starts again.
        """
        deadline, logged = time.monotonic() + timeout_seconds, len(self.log())
        # wrangler's proxy keeps a request for a Worker that never comes.
        while self._worker_pids() in ([], [killed_pid]) or not self._answers(timeout_seconds=10):
            if GAVE_UP in self.log()[logged:]:
                self.restart()
                return
            if time.monotonic() > deadline:
                raise SetupError(f"workerd was not started again within {timeout_seconds:.0f} s\n{self.log_tail()}")
            time.sleep(POLL_SECONDS)

    def wait(self) -> int:
        """Return wrangler's exit status when it ends by itself."""
        return self._process.wait() if self._process else 0

    def workerd_pid(self) -> int:
        """The process id of the workerd that runs the Worker; raises while it is being restarted."""
        pids = self._worker_pids()
        if not pids:
            raise ProcessLookupError("workerd is not running")
        return pids[0]

    def kill_workerd(self) -> int:
        """SIGKILL the workerd that runs the Worker, as a crash would; wrangler starts another. Its process id."""
        pid = self.workerd_pid()
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill(self) -> None:
        """SIGKILL all processes at once, as a power cut would; the state directory stays."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Stop all processes gracefully, or by force if that takes too long."""
        self._signal(signal.SIGTERM)

    def restart(self) -> None:
        """Kill everything and start again on the same state."""
        self.kill()
        self.start()

    def log(self) -> str:
        """All output so far; empty when it is passed through."""
        return self.log_path.read_text(errors="replace") if self.log_path and self.log_path.exists() else ""

    def start_error(self) -> str | None:
        """Why the Worker did not start the last time, if its own code was the reason."""
        if self._relay:
            self._relay.join(STOP_TIMEOUT_SECONDS)
        return server_output.start_error(self._relay.text() if self._relay else self.log())

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of the output, or where they went."""
        if not self.log_path:
            return "The reason is in the output above."
        return "\n".join(self.log().splitlines()[-lines:])

    def _worker_pids(self) -> list[int]:
        if self._process is None:
            return []
        return [pid for pid, command in _descendants(self._process.pid) if "--debug-port" in command]

    def _answers(self, timeout_seconds: float = 30) -> bool:
        try:
            with urllib.request.urlopen(self.url + READY_PATH, timeout=timeout_seconds) as response:
                return response.status == 200
        except urllib.error.HTTPError as error:
            if error.code == 503:  # what the Worker says when its variables are wrong
                raise SetupError(json.load(error)["detail"]) from None
            return False
        except (urllib.error.URLError, OSError):
            return False

    def _signal(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def serve(
    *,
    port: int | None = None,
    persist_to: Path | None = None,
    vars: Mapping[str, str] | None = None,
    config: Path | None = None,
    log_path: Path | None = None,
    inspector_port: int = 0,
) -> Generator[Server]:
    """A running server, stopped at the end; without `persist_to` its state is deleted.

    `config` is a configuration for local workerd; by default that of a copy of the checkout as it is now.
    """
    with contextlib.ExitStack() as stack:
        state = persist_to or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="superstep-")))
        server = Server(
            port=port or free_port(),
            persist_to=state,
            config=config or prepare_copy(),
            vars=vars or {},
            log_path=log_path or state / "server.log",
            inspector_port=inspector_port,
        )
        stack.callback(server.stop)
        server.start()
        yield server


def prepare() -> Path:
    """Build whatever is missing for serving the checkout itself, with hot reload; the configuration to serve."""
    try:
        project = bundle_project.bundle()
    except bundle_project.ProjectError as error:
        raise SetupError(str(error)) from error
    worker_packages.ensure_worker_packages()
    return local_config.ensure_local_config(project.inputs)


def prepare_copy() -> Path:
    """Build whatever is missing and copy the checkout, so that no edit reloads it; the configuration to serve."""
    prepare()
    return worker_copy.with_project("checkout", paths.LANGGRAPH_JSON)


def wrangler_environment() -> dict[str, str]:
    """The environment in which wrangler uses our workerd and never prompts."""
    bundle = pyodide_bundle.ensure_bundle()
    return {
        # Recording every span of every D1 call for the local explorer takes a third of a run's time.
        "X_LOCAL_OBSERVABILITY": "false",
        **os.environ,
        "MINIFLARE_WORKERD_PATH": str(node_runtime.workerd_wrapper(bundle)),
        "CLOUDFLARE_CF_FETCH_ENABLED": "false",
        "WRANGLER_SEND_METRICS": "false",
        "PATH": os.pathsep.join([str(node_runtime.node().parent), os.environ["PATH"]]),
    }


def apply_migrations(config: Path, persist_to: Path) -> None:
    """Bring the local D1 database up to the schema in `migrations/`.

    wrangler needs seconds for it, so the result is kept: a new state directory starts from a copy.
    """
    migrations = sorted((config.parent / "migrations").glob("*.sql"))
    if not migrations:
        return
    digest = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in migrations)).hexdigest()[:16]
    stamp = persist_to / "migrations.stamp"
    if stamp.exists() and stamp.read_text() == digest:
        return
    template = paths.BUILD / f"migrated-{digest}"
    if (persist_to / "v3" / "d1").exists():
        _migrate(config, persist_to)
    else:
        if not template.exists():
            paths.BUILD.mkdir(exist_ok=True)
            partial = Path(tempfile.mkdtemp(dir=paths.BUILD))
            with progress.step("Applying the D1 migrations"):
                _migrate(config, partial)
            with contextlib.suppress(OSError):  # another process was faster
                partial.rename(template)
        shutil.copytree(template, persist_to, dirs_exist_ok=True)
    stamp.write_text(digest)


def _migrate(config: Path, persist_to: Path) -> None:
    command = [*node_runtime.wrangler(), "d1", "migrations", "apply", "DB", "--local"]
    command += [f"--config={config}", f"--persist-to={persist_to}"]
    environment = {**wrangler_environment(), "CI": "1"}
    finished = subprocess.run(
        command,
        cwd=config.parent,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if finished.returncode:
        raise SetupError(f"D1 migrations failed:\n{finished.stdout}{finished.stderr}")


def require_free_port(port: int) -> None:
    """Raise an error if the port is in use."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SetupError(
                f"port {port} is in use: stop what listens there, or choose another with PORT=…"
            ) from error


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _descendants(root: int) -> Iterator[tuple[int, str]]:
    """(pid, command line) of all processes below `root`."""
    listing = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], text=True, capture_output=True, check=True
    ).stdout
    children: dict[int, list[tuple[int, str]]] = {}
    for line in listing.splitlines():
        pid, parent, command = line.split(None, 2)
        children.setdefault(int(parent), []).append((int(pid), command))
    waiting = [root]
    while waiting:
        for pid, command in children.get(waiting.pop(), []):
            yield pid, command
            waiting.append(pid)
