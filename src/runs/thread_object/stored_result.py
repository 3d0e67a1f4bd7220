"""The answer of `/wait` and `/join` for a run that has ended, from D1's rows."""

import json
from typing import Any, Final, cast, get_args

from ports import Database
from runs.attempts import GiveUpError
from streaming.json_text import dumps
from streaming.run_stream import StreamEnd
from tables import threads
from tables.access import EVERYTHING
from tables.runs import Run

#: For a run that does not exist, or was deleted.
GONE: Final = dumps({"__error__": {"error": "HTTPException", "message": "404: Run not found"}})


def gave_up(result: str) -> bool:
    """Whether this is the result of a run that gave up, which an operator may redrive."""
    if not result.startswith('{"__error__"'):
        return False
    error = json.loads(result)["__error__"]
    return isinstance(error, dict) and cast(dict[str, Any], error).get("error") in get_args(GiveUpError)


async def of(db: Database, run: Run) -> tuple[str, StreamEnd]:
    """The result of a run that has ended, as JSON text, and how it ended."""
    if run.status == "error" and run.error is not None:
        return f'{{"__error__":{run.error}}}', "failed"
    thread = await threads.get(db, run.thread_id, EVERYTHING)
    is_whole = run.status == "success" and (thread is None or thread.status != "interrupted")
    return (thread and thread.values_json) or "null", "completed" if is_whole else "interrupted"
