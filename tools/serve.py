"""Serves Superstep on local workerd until it is interrupted: `python -m tools.serve --port 8123`."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Final

from tools import local_server, minute_ticks, paths, worker_packages
from tools.errors import SetupError

POLL_SECONDS: Final = 0.3


def main(arguments: list[str] | None = None) -> int:
    """Set up, serve, and stop on SIGINT or SIGTERM."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # a background job starts with SIGINT ignored
        signal.signal(number, _interrupt)
    try:
        return _serve(options)
    except KeyboardInterrupt:
        return 0
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _serve(options: argparse.Namespace) -> int:
    """Serve; wrangler ends when a changed project cannot be loaded, and serving goes on with the next change."""
    status = _serve_once(options)
    while status and not options.config:
        if worker_packages.are_installed():
            print("\nThe server ended, for the reason above. It starts again when a file changes.\n", file=sys.stderr)
            wait_for_change(_watched())
        try:
            status = _serve_once(options)
        except SetupError as error:
            print(f"error: {error}", file=sys.stderr)
    return status


def _serve_once(options: argparse.Namespace) -> int:
    server = local_server.Server(
        port=options.port,
        persist_to=options.persist_to.resolve(),
        config=options.config.resolve() if options.config else local_server.prepare(),
        vars=dict(options.var),
        use_snapshot=False,
    )
    try:
        server.start()
        print(f"\nSuperstep is up: {server.url} (Ctrl-C stops it)\n", flush=True)
        with minute_ticks.ticking(server.url):
            status = server.wait()
        if status and (reason := server.start_error()):
            print(f"\nerror: {reason}", file=sys.stderr)
        return status
    finally:
        server.stop()


def wait_for_change(watched: Iterable[Path]) -> None:
    """Return when a file at or below one of these paths is new, changed or gone."""
    watched = tuple(watched)
    before = _stamps(watched)
    while _stamps(watched) == before:
        time.sleep(POLL_SECONDS)


def _watched() -> list[Path]:
    config = json.loads(paths.LOCAL_CONFIG.read_text())
    return [paths.LOCAL_SECRETS, *(paths.LOCAL_CONFIG.parent / path for path in config["build"]["watch_dir"])]


def _stamps(watched: Iterable[Path]) -> dict[Path, int]:
    files = (file for path in watched for file in (path, *path.rglob("*")))
    return {file: file.stat().st_mtime_ns for file in files if file.is_file()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--persist-to", type=Path, default=paths.ROOT / ".wrangler" / "state", help="state directory")
    parser.add_argument("--config", type=Path, help="another wrangler configuration, for local workerd")
    parser.add_argument("--var", type=_assignment, action="append", default=[], metavar="KEY=VALUE")
    return parser


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return name, value


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
