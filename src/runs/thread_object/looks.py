"""When a thread's object looks at its rows: as soon as somebody asks, or at the time of its alarm."""

import clock
from ports import Alarm
from tables.run_claims import Claim


class Looks:
    """The looks of one object that are still to come, and the last one, until it is acted on."""

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        #: Whether somebody has asked for a look that has not begun yet.
        self._is_asked_for = False
        self._found: Claim | None = None

    async def soon(self) -> None:
        """Look in a moment; once this returns, not even a crash prevents it."""
        self._is_asked_for = True
        await self._alarm.set(clock.now_ms() + 1)

    async def later(self, at_ms: int) -> None:
        """Look then, unless somebody has asked for an earlier look meanwhile."""
        if not self._is_asked_for:
            await self._alarm.set(at_ms)

    def begin(self) -> None:
        """The rows are read now: whoever asks from here on means another look."""
        self._is_asked_for = False

    def found(self, claim: Claim | None) -> None:
        """What the batch that ended a run claimed as well; None if that run was not this object's any more."""
        self._found = claim

    def take(self) -> Claim | None:
        """What was found, once; None if the rows have to be read."""
        found, self._found = self._found, None
        return found

    def forget_empty(self) -> None:
        """Forget that nothing was found: by the time of the next look there may be a run."""
        if self._found is not None and self._found.claimed is None:
            self._found = None
