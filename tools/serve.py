"""Serves Superstep on local workerd until it is interrupted: `python -m tools.serve --port 8123`."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from tools import local_server, paths
from tools.errors import SetupError


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
        return server.wait()
    finally:
        server.stop()


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
