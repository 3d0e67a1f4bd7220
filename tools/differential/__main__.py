"""`python -m tools.differential [AREA | AREA.SCRIPT …]`: compare Superstep with `langgraph dev`."""

import argparse
import asyncio
import contextlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tools import paths, progress
from tools.differential import declaration, playing, projects
from tools.differential.comparison import Difference
from tools.differential.declared import DECLARED
from tools.differential.playing import Outcome, Script
from tools.errors import SetupError

REPORT: Final = projects.FOLDER / "report.json"
RECORDINGS: Final = projects.FOLDER / "recordings"
LONGEST_VALUE: Final = 300
MOST_PLACES: Final = 4
TABLE_WIDTH: Final = 120

console = progress.console


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, show, and return 0 when nothing differs but what is declared."""
    options = _parser().parse_args(arguments)
    if options.write:
        declaration.DOCUMENT.write_text(declaration.document(DECLARED))
        return 0
    try:
        outcomes = asyncio.run(_play(options))
    except SetupError as error:
        console.print(f"[red]error:[/] {error}", soft_wrap=True)
        return 1
    return _report(outcomes, everything=not options.scripts)


async def _play(options: argparse.Namespace) -> list[Outcome]:
    scripts = playing.find(options.scripts)
    if not scripts:
        raise SetupError(f"no script is called {' or '.join(options.scripts)}")
    with contextlib.ExitStack() as stack:
        needed = sorted({script.project for script in scripts})
        servers = {name: projects.start(stack, name, options.port + 2 * n) for n, name in enumerate(needed)}
        bar = stack.enter_context(
            Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        )
        task = bar.add_task("", total=len(scripts))
        at_once = asyncio.Semaphore(options.at_once)

        async def play(script: Script) -> Outcome:
            async with at_once:
                outcome = await playing.play(script, servers[script.project])
                bar.update(task, advance=1, description=outcome.name)
                return outcome

        return await asyncio.gather(*map(play, scripts))


def _report(outcomes: Sequence[Outcome], *, everything: bool) -> int:
    undeclared = [difference for outcome in outcomes for difference in outcome.differences if not _covered(difference)]
    _write_recordings(outcomes)
    _show_scripts(outcomes)
    _show_differences(undeclared)
    gone = _gone(outcomes) if everything else []
    for entry in gone:
        console.print(f"[red]declared, and does not occur:[/] {entry.operations} {entry.at}")
    REPORT.write_text(json.dumps([asdict(difference) for difference in undeclared], indent=1))
    console.print(f"\n{len(undeclared)} undeclared differences; all are in {REPORT.relative_to(paths.ROOT)}")
    console.print(f"what each server answered to each script is in {RECORDINGS.relative_to(paths.ROOT)}")
    return 1 if undeclared or gone else 0


def _write_recordings(outcomes: Iterable[Outcome]) -> None:
    RECORDINGS.mkdir(exist_ok=True)
    for outcome in outcomes:
        for side, recording in outcome.recordings.items():
            text = json.dumps(asdict(recording), indent=1, ensure_ascii=False)
            (RECORDINGS / f"{outcome.name}.{side}.json").write_text(text)


def _covered(difference: Difference) -> bool:
    return any(entry.covers(difference) for entry in DECLARED)


def _gone(outcomes: Iterable[Outcome]) -> list[declaration.Declared]:
    found = [difference for outcome in outcomes for difference in outcome.differences]
    return [entry for entry in DECLARED if not any(map(entry.covers, found))]


def _show_scripts(outcomes: Sequence[Outcome]) -> None:
    table = Table("script", "steps", "declared", "undeclared", "result", box=None)
    for outcome in outcomes:
        covered = sum(map(_covered, outcome.differences))
        rest = len(outcome.differences) - covered
        result = "[red]differs[/]" if rest else "[green]same[/]"
        table.add_row(outcome.name, str(outcome.steps), str(covered or ""), str(rest or ""), result)
    console.print(table, width=max(console.width, TABLE_WIDTH))


def _show_differences(found: Sequence[Difference]) -> None:
    """Each kind once: the operations and places that have it, and the first script that showed it."""
    kinds = defaultdict[tuple[str, str, str], list[Difference]](list)
    for difference in found:
        what = difference.at.rpartition(".")[2]
        kinds[what, _short(difference.reference), _short(difference.superstep)].append(difference)
    for (_, reference, superstep), examples in sorted(kinds.items()):
        more = f" and {len(examples) - 1} more" if len(examples) > 1 else ""
        console.print(f"\n[bold]{_places(examples)}[/] [dim]{examples[0].script}{more}[/]")
        console.print(f"  langgraph dev: {reference}", markup=False)
        console.print(f"  Superstep:     {superstep}", markup=False)


def _places(examples: Sequence[Difference]) -> str:
    places = sorted({f"{example.operation} {example.at}" for example in examples})
    more = len(places) - MOST_PLACES
    return "\n".join(places[:MOST_PLACES]) + (f"\nand {more} more" if more > 0 else "")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.differential", description=__doc__)
    parser.add_argument("scripts", nargs="*", help="areas or area.script; all when none is named")
    parser.add_argument("--port", type=int, default=8320, help="the first of four that the servers get")
    parser.add_argument("--at-once", type=int, default=8, help="scripts that are played at the same time")
    parser.add_argument("--write", action="store_true", help="only write docs/differences.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
