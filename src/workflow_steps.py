"""The durable steps of a run that outlives one invocation.

The graph runs in the thread's object all the same: a step asks the object for one more slice. The attempt in the
instance's parameters is the fencing token, so an instance whose run was taken over meanwhile stops by itself.
"""

from typing import Any

from workers import WorkflowEntrypoint

from bindings.thread_objects import ThreadObjectsBinding

#: Retries cover an object that is being reset; a run's own failures end inside the slice.
STEP_CONFIG = {
    "retries": {"limit": 10, "delay": "2 seconds", "backoff": "exponential"},
    "timeout": "30 minutes",
}


class RunWorkflow(WorkflowEntrypoint):
    """One instance for one attempt of a long run: `run-<run_id>-<attempt>`."""

    async def run(self, event: Any, step: Any) -> None:
        """Ask for slices until the object says that none is left."""
        params = event["payload"]
        threads = ThreadObjectsBinding(self.env.THREADS)
        unfinished = True
        while unfinished:

            @step.do("slice", config=STEP_CONFIG)
            async def run_slice() -> bool:
                return await threads.run_slice(params["thread_id"], params["run_id"], params["attempt"])

            unfinished = await run_slice()
