"""schemathesis with the served OpenAPI document: no server error, and every response as documented."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

from langgraph_sdk.client import LangGraphClient

ROOT = Path(__file__).resolve().parents[2]
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
TIMEOUT_SECONDS = 400

#: Fewer would mean that the document lost operations or that generation was cut short.
LEAST_CASES = 1000

#: These streams end with their caller only: each request would take as long as schemathesis waits.
NEVER_ENDING = r"^/threads/\{thread_id\}/stream"


async def test_no_generated_request_breaks_the_server_or_its_promises(
    client: LangGraphClient, server_url: str, thread_id: str, tmp_path: Path
) -> None:
    assistant = await client.assistants.create("sequence")
    known = {"SUPERSTEP_THREAD_ID": thread_id, "SUPERSTEP_ASSISTANT_ID": assistant["assistant_id"]}
    command = [SCHEMATHESIS, f"--config-file={CONFIGURATION}", "run", f"{server_url}/openapi.json", "--no-color"]
    command += ["--exclude-path-regex", NEVER_ENDING]
    finished = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **known},
        text=True,
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    generated = re.search(r"(\d+) generated", finished.stdout)
    assert generated is not None
    assert int(generated[1]) > LEAST_CASES
    assert (await client.runs.wait(None, "sequence", input={"topic": "ok"}))["topic"] == "ok"
