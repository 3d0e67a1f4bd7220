"""Measures what a start costs: the upload's size, the wasm heap after the top-level code, and the time until `/ok`."""

import gzip
import tempfile
import time
from pathlib import Path
from typing import Final

from tools import local_server, paths, progress, snapshots, worker_packages
from tools.local_server import Server

MIB: Final = 2**20


def start_seconds(config: Path, *, use_snapshot: bool) -> float:
    """How long one server takes from process start to the first `/ok`, on migrated state."""
    with tempfile.TemporaryDirectory(prefix="superstep-") as state:
        folder = Path(state)
        local_server.apply_migrations(config, folder)
        server = Server(
            port=local_server.free_port(),
            persist_to=folder,
            config=config,
            log_path=folder / "server.log",
            use_snapshot=use_snapshot,
        )
        started = time.monotonic()
        try:
            server.start()
            return time.monotonic() - started
        finally:
            server.stop()


def recovery_seconds(config: Path) -> float:
    """How long it takes until `/ok` answers again after the Worker's process was killed."""
    with local_server.serve(config=config) as server:
        killed = server.kill_workerd()
        started = time.monotonic()
        server.wait_until_restarted(killed)
        return time.monotonic() - started


def heap_bytes(config: Path) -> int:
    """The wasm heap after the top-level code, which is what a snapshot holds."""
    return snapshots.Snapshot.of(config, {}).file.stat().st_size


def upload_bytes(config: Path) -> tuple[int, int]:
    """The upload, unpacked and compressed."""
    files = [
        *(file for file in (config.parent / "src").rglob("*") if file.is_file()),
        *(file for file in paths.PYTHON_MODULES.rglob("*") if file.is_file() and file.name != worker_packages.STAMP),
    ]
    contents = [file.read_bytes() for file in files]
    return sum(map(len, contents)), len(gzip.compress(b"".join(contents)))


def main() -> None:
    """Print the figures."""
    config = local_server.prepare_copy()
    with progress.step("Measuring"):
        plain = start_seconds(config, use_snapshot=False)
        start_seconds(config, use_snapshot=True)  # makes the snapshot
        restored = start_seconds(config, use_snapshot=True)
        recovered = recovery_seconds(config)
    unpacked, compressed = upload_bytes(config)
    print(f"upload                       {unpacked / MIB:7.1f} MiB unpacked, {compressed / MIB:.1f} MiB compressed")
    print(f"wasm heap                    {heap_bytes(config) / MIB:7.1f} MiB")
    print(f"start without a snapshot     {plain:7.1f} s")
    print(f"start from a snapshot        {restored:7.1f} s")
    print(f"workerd killed to /ok again  {recovered:7.1f} s")


if __name__ == "__main__":
    main()
