"""Generates the tables of docs/ from the code: `python -m tools.doc_tables`. A test keeps them current."""

import inspect
import re
import sys
from dataclasses import fields
from typing import Final

from tools import operations, paths

sys.path.insert(0, str(paths.SOURCE))

from api import metrics
from api.routes import ROUTES
from settings import Settings

#: Each document that has generated tables, between marks such as `<!-- settings -->` and `<!-- /settings -->`.
DOCUMENTS: Final = (paths.ROOT / "docs" / "api.md", paths.ROOT / "docs" / "operating.md")


def with_tables(text: str) -> str:
    """A document with its generated tables brought up to date."""

    def current(marked: re.Match[str]) -> str:
        return f"<!-- {marked[1]} -->\n{TABLES[marked[1]]()}<!-- /{marked[1]} -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- /\1 -->", current, text, flags=re.DOTALL)


def settings_table() -> str:
    """One row for each setting: its variable, its default, and the comment above its field."""
    meanings = dict(_comments(inspect.getsource(Settings)))
    rows = (
        f"| `{field.name.upper()}` | `{field.default or ''}` | {meanings[field.name]} |\n" for field in fields(Settings)
    )
    return "".join(rows)


def _comments(source: str) -> list[tuple[str, str]]:
    """Field names with the `#:` comment that stands above them, which a second field below may share."""
    meaning, found = "", list[tuple[str, str]]()
    for line in map(str.strip, source.splitlines()):
        if line.startswith("#:"):
            meaning = line.removeprefix("#:").strip()
        elif field := re.match(r"(\w+): .* = ", line):
            found.append((field[1], meaning))
    return found


def metrics_table() -> str:
    """One row for each metric."""
    nothing_waits = metrics.QueueFigures(
        n_pending=0,
        n_running=0,
        pending_runs_wait_time_max_secs=None,
        pending_runs_wait_time_med_secs=None,
        pending_unblocked_runs_wait_time_max_secs=None,
    )
    families = metrics.families(nothing_waits, [], [], [], [])
    return "".join(f"| `{family.name}` | {family.kind} | {family.meaning} |\n" for family in families)


def operations_table() -> str:
    """One row for each operation, with the methods of the official clients for it."""
    lines = ["| Operation | Python | JavaScript |\n|---|---|---|\n"]
    methods = {operation.name: operation for operation in operations.read()}
    for route in ROUTES:
        name = f"{route.method} {route.path}"
        listed = methods.get(name)
        python, javascript = (listed.python, listed.javascript) if listed else ("", "")
        lines.append(f"| `{name}` | {_code(python)} | {_code(javascript)} |\n")
    return "".join(lines)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


TABLES: Final = {"settings": settings_table, "operations": operations_table, "metrics": metrics_table}


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(with_tables(document.read_text()))
