"""What breaks, and when: drawn from a seed, so that a failed campaign can be repeated with the same faults."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Final

import httpx

from tests.chaos.campaign.history import Crashed, Disturbed, Recorder
from tests.support.step_server import StepServer
from tools.local_server import Server

#: One kill in so many takes the whole server with it, power cut fashion.
POWER_CUT_EVERY: Final = 15
#: Faults that may be on at the same time, of those that `faulty_entry.py` knows, and how often each happens at most.
FAULTS: Final = {
    "D1 refuses a batch": 0.8,
    "D1 loses its answer": 0.4,
    "D1 stalls": 0.2,
    "D1 stalls and is reset": 0.05,
    "D1 never answers": 0.05,
    "a queue refuses messages": 0.5,
    "a queue loses messages": 0.3,
    "a queue delays messages": 0.5,
    "a queue doubles messages": 0.8,
    "a batch of messages fails and comes again": 0.3,
    "a batch of messages comes twice": 0.5,
    "an alarm fires twice": 0.8,
    "an alarm is late": 0.3,
    "an alarm fails and fires again": 0.3,
    "an alarm is lost": 0.05,
    "an object is reset": 0.3,
    "a call of an object fails": 0.3,
    "a Workflow does not start": 0.3,
    "a slice is refused": 0.3,
}
FAULTS_AT_ONCE: Final = 4
#: What each of them writes into the log.
LOG_MARK: Final = "chaos: "

#: The name under which crons make their side effects.
CRON: Final = "cron"

#: What a crash waits for comes within this time, or the crash all the same.
MOVEMENT_SECONDS: Final = 20


@dataclass(kw_only=True)
class Nemesis:
    """Breaks one server."""

    server: Server
    steps: StepServer
    recorder: Recorder
    random: Random

    async def crash(self) -> None:
        """Let the server work for a moment, mostly with faults, kill it, and return when it is up again."""
        disturbed_at, logged = self.recorder.now, len(self.server.log())
        is_disturbed = self.random.random() < 0.7
        if is_disturbed:
            await self._disturb()
        await asyncio.sleep(self.random.uniform(0.2, 2.0))
        if self.random.random() < 0.5:  # on a slow machine it would hardly ever die then
            await self._within(self._is_inside_a_step)
        is_power_cut = self.random.randrange(POWER_CUT_EVERY) == 0
        at = self.recorder.now
        await asyncio.to_thread(self._power_cut if is_power_cut else self._kill)
        if is_disturbed:
            self.recorder.take(Disturbed(at=disturbed_at, until=at, counts=self._faults_since(logged)))
        kind = "power cut" if is_power_cut else "workerd killed"
        self.recorder.take(Crashed(at=at, kind=kind, ready_at=self.recorder.now))
        if self.random.random() < 0.7:  # otherwise it dies again while it recovers
            await self._within(lambda: any(visit.began > at for visit in self.steps.visits()[-1:]))

    async def _disturb(self) -> None:
        """Choose what goes wrong from now on, if the server hears of it."""
        kinds = self.random.sample(sorted(FAULTS), self.random.randint(1, FAULTS_AT_ONCE))
        rates = {kind: self.random.uniform(0.1, 1) * FAULTS[kind] for kind in kinds}
        asked = {"seed": self.random.random(), "rates": rates}
        with suppress(httpx.TransportError):
            async with httpx.AsyncClient(base_url=self.server.url, timeout=60) as http:
                await http.post("/chaos", json=asked)

    def _faults_since(self, logged: int) -> dict[str, int]:
        lines = self.server.log()[logged:].splitlines()
        return dict(Counter(line.removeprefix(LOG_MARK) for line in lines if line.startswith(LOG_MARK)))

    def _kill(self) -> None:
        self.server.wait_until_restarted(self.server.kill_workerd())

    def _power_cut(self) -> None:
        self.server.restart()

    def _is_inside_a_step(self) -> bool:
        return any(run != CRON for run, _ in self.steps.under_way())

    async def _within(self, condition: Callable[[], bool]) -> None:
        until = self.recorder.now + MOVEMENT_SECONDS
        while self.recorder.now < until:
            if condition():
                return
            await asyncio.sleep(0.05)
