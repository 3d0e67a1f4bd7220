"""Shows the progress of slow steps: a spinner on a terminal, one plain line elsewhere."""

import contextlib
import time
from collections.abc import Generator

from rich.console import Console

console = Console(highlight=False, soft_wrap=True)


@contextlib.contextmanager
def step(title: str) -> Generator[None]:
    """Show what is being done and, at the end, how long it took."""
    started = time.monotonic()
    if console.is_terminal:
        with console.status(title):
            yield
    else:
        console.print(f"{title} …")
        yield
    console.print(f"[green]✓[/] {title} [dim]({time.monotonic() - started:.1f} s)[/]")
