"""Starts the Workflow that drives a long run."""

from functools import partial
from typing import Any

from js import Object
from pyodide.ffi import to_js

from bindings.answers import HINT_SECONDS, answer
from errors import Unavailable


class RunWorkflowBinding:
    """`ports.Workflows` over the `RUN_WORKFLOW` binding."""

    def __init__(self, binding: Any) -> None:
        self._binding = getattr(binding, "_binding", binding)

    async def start(self, thread_id: str, run_id: str, attempt: int) -> None:
        """See `ports.Workflows.start`."""
        params = {"thread_id": thread_id, "run_id": run_id, "attempt": attempt}
        options = to_js({"id": f"run-{run_id}-{attempt}", "params": params}, dict_converter=Object.fromEntries)
        try:
            start = partial(self._binding.create, options)
            await answer(start, HINT_SECONDS, failed=f"the Workflow of run {run_id} did not start")
        except Unavailable as error:
            if "already_exists" not in str(error):
                raise
