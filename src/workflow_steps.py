"""The durable steps of a run that outlives one invocation.

The graph still runs in the thread's object: each step asks the object for one more slice. The attempt in the instance's
parameters is the fencing token, so an instance whose run was taken over stops by itself.
"""

from typing import Any

from workers import WorkflowEntrypoint

from bindings.thread_objects import ThreadObjectsBinding

#: Retries are for an object that is being reset. A graph that fails does not fail its step: its slice returns.
STEP_CONFIG = {
    "retries": {"limit": 10, "delay": "2 seconds", "backoff": "exponential"},
    "timeout": "30 minutes",
}


class RunWorkflow(WorkflowEntrypoint):
    """One instance for one attempt of a long run: `run-<run_id>-<attempt>`."""

    async def run(self, event: Any, step: Any) -> None:
        """Ask for slices until the run needs no more."""
        params = event["payload"]
        threads = ThreadObjectsBinding(self.env.THREADS)
        unfinished = True
        while unfinished:

            @step.do("slice", config=STEP_CONFIG)
            async def run_slice() -> bool:
                return await threads.run_slice(params["thread_id"], params["run_id"], params["attempt"])

            unfinished = await run_slice()
