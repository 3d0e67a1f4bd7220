"""Finding in wrangler's output why a Worker did not start."""

import io

import pytest

from tools import server_output
from tools.server_output import Relay

NOISE = """\x1b[31m✘ \x1b[41;31m[\x1b[41;97mERROR\x1b[41;31m]\x1b[0m \x1b[1mservice core:user:superstep: Uncaught Error: PythonError: Traceback (most recent call last):\x1b[0m

    File "/session/metadata/entry.py", line 24, in <module>
      from durable_thread import ThreadObject
      raise GraphLoadError("cannot serve the project:\\n")
  errors.GraphLoadError: cannot serve the project:
  - graph 'a' (graph.py:graph): importing graph.py failed: KeyError: 'NOT_THERE' (graph.py, line 2: key = …)
  - graph 'b' (b.py:graph): b.py defines no 'graph'
  
    at null.<anonymous> (pyodideRuntime-internal:pyodide.asm:3:568424) in new_error
    at wasm://wasm/0249d42a:1:415075 in $wrap_exception

▲ [WARNING] A DurableObjectNamespace in the config referenced the class "ThreadObject"
✘ [ERROR] The Workers runtime failed to start.
  {"message":"service core:user:superstep: Uncaught Error: PythonError: Traceback …errors.GraphLoadError: cannot"}
"""  # noqa: E501, W293 - as wrangler prints it


def test_the_reason_is_what_the_worker_raised_last() -> None:
    assert server_output.start_error("before\n" + NOISE) == (
        "cannot serve the project:\n"
        "- graph 'a' (graph.py:graph): importing graph.py failed: KeyError: 'NOT_THERE' (graph.py, line 2: key = …)\n"
        "- graph 'b' (b.py:graph): b.py defines no 'graph'"
    )


@pytest.mark.parametrize(
    "output", ["", "✘ [ERROR] address in use", "PythonError: Traceback (most recent call last):\n"]
)
def test_other_ends_have_no_such_reason(output: str) -> None:
    assert server_output.start_error(output) is None


def test_an_error_that_nobody_foresaw_keeps_its_name() -> None:
    text = "PythonError: Traceback (most recent call last):\n  File x\nModuleNotFoundError: No module named 'x'\n\n"
    assert server_output.start_error(text) == "ModuleNotFoundError: No module named 'x'"


def test_output_is_shown_without_the_list_of_modules(capsys: pytest.CaptureFixture[str]) -> None:
    relay = Relay(io.BytesIO("one\n├────┤\n│ a.py │ python │\ntwo\n".encode()))
    relay.run()
    assert relay.text() == capsys.readouterr().err == "one\ntwo\n"


def test_the_reason_of_a_failed_bundle_step_is_not_buried(capsys: pytest.CaptureFixture[str]) -> None:
    reason, after = "[custom build] error: graph 'a': no\n", "✘ [ERROR] Running custom build `bundle` failed.\n"
    dump = "✘ [ERROR] k [Error]: Process exited with non-zero status (1)\n  result: I {\n  }\n"
    Relay(io.BytesIO(f"{reason}{dump}{after}more\n".encode())).run()
    assert capsys.readouterr().err == f"{reason}{after}more\n"


def test_nobody_is_told_to_tick_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    lines = """
\x1b[33m▲ \x1b[0m \x1b[1mScheduled Workers are not automatically triggered during local development.\x1b[0m
  To manually trigger a scheduled event, run:
    curl "http://127.0.0.1:8123/cdn-cgi/local/scheduled"
  For more details, see https://developers.cloudflare.com/workers/configuration/cron-triggers/#test-locally
ready
"""
    Relay(io.BytesIO(lines.encode())).run()
    assert capsys.readouterr().err == "\nready\n"
