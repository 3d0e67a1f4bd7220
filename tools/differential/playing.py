"""Plays scripts on both servers and compares the recordings."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Final, TypeAlias

from tools.differential import comparison, projects, scripts
from tools.differential.comparison import Difference
from tools.differential.normal_form import NormalExchange, normal_form
from tools.differential.session import Session

SCRIPT_TIMEOUT_SECONDS: Final = 120

Play: TypeAlias = Callable[[Session], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Script:
    """A coroutine function of a module in `scripts/`: its area is the module."""

    area: str
    name: str
    play: Play
    #: The project that the servers serve: its module's PROJECT.
    project: str


@dataclass(frozen=True, slots=True)
class Recording:
    """The answers of one server to a script, and how the script ended there."""

    exchanges: Sequence[NormalExchange]
    #: The error that ended the script; empty if it came to its end.
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one script."""

    script: Script
    recordings: Mapping[str, Recording]
    differences: Sequence[Difference]

    @property
    def name(self) -> str:
        """Area and name."""
        return f"{self.script.area}.{self.script.name}"

    @property
    def steps(self) -> int:
        """How many answers of Superstep were compared."""
        return len(self.recordings["superstep"].exchanges)


def find(prefixes: Sequence[str]) -> list[Script]:
    """All scripts, or those whose `area.name` begins with one of `prefixes`."""
    names = [module.name for module in iter_modules(scripts.__path__)]
    areas = {name: import_module(f"{scripts.__name__}.{name}") for name in names}
    found = [
        Script(area, name, function, getattr(module, "PROJECT", projects.OPEN))
        for area, module in areas.items()
        for name, function in vars(module).items()
        if inspect.iscoroutinefunction(function) and not name.startswith("_")
    ]
    wanted = tuple(prefixes)
    return [script for script in found if not wanted or f"{script.area}.{script.name}".startswith(wanted)]


async def play(script: Script, servers: projects.Servers) -> Outcome:
    """Play on both servers at once and compare."""
    reference, superstep = await asyncio.gather(_record(script, servers.reference), _record(script, servers.superstep))
    recordings = {"reference": reference, "superstep": superstep}
    name = f"{script.area}.{script.name}"
    found = list(comparison.differences(name, reference.exchanges, superstep.exchanges))
    if reference.reason != superstep.reason and not found:
        found.append(_other_ending(name, reference, superstep))
    return Outcome(script, recordings, found)


def _other_ending(name: str, reference: Recording, superstep: Recording) -> Difference:
    """The script failed on one server, or with different errors, although all answers are equal."""
    operation = superstep.exchanges[-1].operation
    return Difference(
        script=name, operation=operation, at="script", reference=reference.reason, superstep=superstep.reason
    )


async def _record(script: Script, url: str) -> Recording:
    reason = ""
    async with Session(url) as session:
        try:
            async with asyncio.timeout(SCRIPT_TIMEOUT_SECONDS):
                await script.play(session)
        except Exception as error:  # noqa: BLE001 - whatever a script meets on one server is what is to be compared
            reason = f"{type(error).__name__}: {error}"
        exchanges = [normal_form(exchange, url) for exchange in session.exchanges]
    return Recording(exchanges, reason)
