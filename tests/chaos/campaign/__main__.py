"""Breaks a server again and again while clients use it, and checks that nothing was lost or done twice."""

import argparse
import asyncio
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

from tests.chaos.campaign import results
from tests.chaos.campaign.results import Result
from tests.chaos.campaign.round import play, report

#: A round is short enough to be looked into when it fails.
KILLS_PER_ROUND: Final = 25

console: Final = Console(width=None if Console().is_terminal else 120)


def main() -> int:
    """Play rounds until there were enough kills; whether all promises were kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.campaign", description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS_PER_ROUND, help="how often the server dies in all")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round; each further has +1")
    parser.add_argument("--json", type=Path, help="add each round to this file as soon as it is over")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="langgraph_sdk")  # it reconnects, as it should
    played: list[Result] = []
    with Progress(console=console) as progress:
        task = progress.add_task("kills", total=options.kills)
        for number, done in enumerate(range(0, options.kills, KILLS_PER_ROUND)):
            kills = min(KILLS_PER_ROUND, options.kills - done)
            played.append(_play(options.seed + number, kills, lambda: progress.advance(task)))
            if options.json:
                results.keep([*results.read(options.json), played[-1]], options.json)
    console.print(results.table(played))
    return 1 if any(result.violations for result in played) else 0


def _play(seed: int, kills: int, on_crash: Callable[[], None]) -> Result:
    result = asyncio.run(play(seed, kills, on_crash))
    if result.violations:
        console.print(report(result), style="red", highlight=False, markup=False)
    else:
        crashes = sum(result.crashes.values())
        console.print(f"[green]✓[/] seed {seed}: {crashes} crashes, {result.runs} runs, {result.seconds} s")
    return result


if __name__ == "__main__":
    raise SystemExit(main())
