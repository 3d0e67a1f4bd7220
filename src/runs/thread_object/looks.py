"""When a thread's object looks at its rows: as soon as anybody asks, or at the time of its alarm."""

import clock
from ports import Alarm
from tables.run_claims import Claim


class Looks:
    """The future looks of one object, and the result of the last one until it is used."""

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        #: Whether a look was requested that has not begun yet.
        self._is_asked_for = False
        self._found: Claim | None = None

    async def soon(self) -> None:
        """Look in a moment; once this returns, not even a crash prevents it."""
        self._is_asked_for = True
        await self._alarm.set(clock.now_ms() + 1)

    async def later(self, at_ms: int) -> None:
        """Look at that time, unless an earlier look has been requested meanwhile."""
        if not self._is_asked_for:
            await self._alarm.set(at_ms)

    def begin(self) -> None:
        """The rows are read now, so a request from here on means another look."""
        self._is_asked_for = False

    def found(self, claim: Claim | None) -> None:
        """Keep the claim that the batch at a run's end has made; None if that run was not this object's any more."""
        self._found = claim

    def take(self) -> Claim | None:
        """The claim that was kept, once; None if the rows have to be read."""
        found, self._found = self._found, None
        return found

    def forget_empty(self) -> None:
        """Forget an empty claim, because by the time of the next look there may be a run."""
        if self._found is not None and self._found.claimed is None:
            self._found = None
