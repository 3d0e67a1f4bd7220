"""The table and the JSON document of a benchmark's figures."""

import dataclasses
import json
import platform
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.figures import Figure

#: Units of figures that do not depend on the machine's speed.
COUNTS: Final = ("per run",)


def table(figures: Sequence[Figure]) -> Table:
    """One row a figure; the last column is what can be compared between machines."""
    result = Table(
        title="Superstep on local workerd", caption="÷ bare: how many times the same graph run in this process"
    )
    result.add_column("scenario")
    for column in ("p50", "p95", "p99", "unit", "n", "bare", "÷ bare"):
        result.add_column(column, justify="right" if column != "unit" else "left")
    for figure in figures:
        numbers = [_number(figure.value), _number(figure.p95), _number(figure.p99)]
        result.add_row(
            figure.name, *numbers, figure.unit, str(figure.samples), _number(figure.bare), _number(figure.ratio)
        )
    return result


def show(figures: Sequence[Figure]) -> None:
    """Print the table, also to a pipe."""
    Console(width=None if Console().is_terminal else 120).print(table(figures))


def document(figures: Sequence[Figure]) -> str:
    """All figures as JSON, with the machine they are from."""
    machine = {"machine": platform.machine(), "python": platform.python_version(), "system": platform.platform()}
    rows = [dataclasses.asdict(figure) | {"ratio": figure.ratio} for figure in figures]
    return json.dumps({"machine": machine, "figures": rows}, indent=2)


def markdown(figures: Sequence[Figure]) -> str:
    """What means the same on every machine, for docs/performance.md: ratios to bare, and counts."""
    compared = [f"| {figure.name} | {_number(figure.ratio)} |" for figure in figures if figure.ratio]
    counted = [f"| {figure.name} | {_number(figure.value)} |" for figure in figures if figure.unit in COUNTS]
    return "\n".join(
        ["| scenario | ÷ bare |", "|---|---|", *compared, "", "| count | per run |", "|---|---|", *counted, ""]
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
