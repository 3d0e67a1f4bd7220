"""How a developer sees the Worker's log lines."""

import io
import re
import sys

import pytest

from tools import log_view
from tools.server_output import Relay

ENDED = (
    '{"level": "info", "logger": "runs.completion", "message": "run ended: success", "version": "v1", "run_id": "r1", '
    '"attempt": 2, "request_id": "q", "event": "run_ended", "duration_ms": 12}'
)
FAILED = (
    '\x1b[33m▲ \x1b[43;33m[\x1b[43;30mWARNING\x1b[43;33m]\x1b[0m \x1b[1m{"level": "warning", "logger": "x", '
    '"message": "the graph raised ValueError", "traceback": "Traceback:\\n  File x\\nValueError: boom"}\x1b[0m'
)


def plain(text: str | None) -> str:
    return re.sub(r"\d\d:\d\d:\d\d ", "", re.sub(r"\x1b\[[0-9;]*m", "", text or ""))


def test_a_line_says_what_happened_and_to_which_run() -> None:
    assert plain(log_view.shown(ENDED)) == "info    run ended: success  run_id=r1 attempt=2 duration_ms=12\n"


def test_a_traceback_stands_below() -> None:
    assert plain(log_view.shown(FAILED)) == (
        "warning the graph raised ValueError\n    Traceback:\n      File x\n    ValueError: boom\n"
    )


@pytest.mark.parametrize("line", ["[wrangler:info] GET /ok", '{"level": "a graph printed', '{"level": 1}', ""])
def test_other_lines_are_not_touched(line: str) -> None:
    assert log_view.shown(line) is None


@pytest.mark.parametrize("is_terminal", [True, False])
def test_only_a_terminal_gets_them_so(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    relay = Relay(io.BytesIO(f"{FAILED}\n\n\nGET /ok\n\n".encode()))
    relay.run()
    said = capsys.readouterr().err
    assert relay.text() == f"{FAILED}\n\n\nGET /ok\n\n"
    if is_terminal:
        assert plain(said).endswith("    ValueError: boom\nGET /ok\n\n")
    else:
        assert said == relay.text()
