"""The Workflow that drives a long run by asking for slice after slice, while the object watches that it does."""

import logging
from typing import Final

import clock
from ports import Platform
from runs.thread_object.looks import Looks
from tables import run_claims, run_history
from tables.run_history import Stamp
from tables.runs import Run

logger = logging.getLogger(__name__)

#: A Workflow that asks for no slice for this long is considered dead, and the object goes on by itself.
SILENCE_SECONDS: Final = 60


class WorkflowDrive:
    """The run that this incarnation of a thread's object has handed over last."""

    def __init__(self, platform: Platform, looks: Looks) -> None:
        self._platform = platform
        self._looks = looks
        self._run_id = ""
        self._expected_until_ms = 0

    def has(self, run_id: str) -> bool:
        """Whether that run is this one."""
        return run_id == self._run_id

    def expected_until_ms(self, run_id: str) -> int | None:
        """Until when a Workflow should ask for a slice of this run; None if none should, or if it is too late."""
        return self._expected_until_ms if self.has(run_id) and clock.now_ms() < self._expected_until_ms else None

    async def hand_over(self, run: Run, stamp: Stamp) -> None:
        """After a slice: let a Workflow ask for the next one, and start it after the first slice of an attempt."""
        is_first = not run_history.was_handed_over(run.history, run.attempt)
        if is_first:
            await self._platform.database.batch([run_claims.hand_over(run, stamp)])
        self._run_id = run.run_id
        self._expected_until_ms = clock.now_ms() + SILENCE_SECONDS * 1000
        # Set before the Workflow is started: if the object dies meanwhile, the alarm goes on with the run.
        await self._looks.later(self._expected_until_ms)
        if is_first:
            await self._platform.workflows.start(run.thread_id, run.run_id, run.attempt)
        logger.info("the slice is over; a Workflow asks for the next one", extra={"event": "run_handed_over"})
