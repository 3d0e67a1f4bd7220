"""The whole thing in one go: set up, serve, stream a run of the example agency through the official SDK, stop."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from langgraph_sdk import get_client

from tools import local_server, progress
from tools.errors import SetupError

ASSISTANT: Final = "agency"
TOPIC: Final = "durable workflows for AI agents"

console = progress.console


class Printer:
    """Prints a run's events as they arrive: who is at work, its tokens, and what each super-step changed."""

    def __init__(self) -> None:
        self._speaker = ""

    def show(self, event: str, data: Any) -> None:
        """Print one event of the stream."""
        match event.partition("|")[0]:
            case "metadata":
                console.print(f"[dim]run {data['run_id']}[/]")
            case "messages":
                message, metadata = data
                self._token(metadata.get("langgraph_node", "?"), message.get("content", ""))
            case "updates":
                self._update(data)
            case "error":
                self._end_line()
                console.print(f"[red]{data.get('error')}: {data.get('message')}[/]")
            case _:
                pass

    def _token(self, speaker: str, text: Any) -> None:
        if not isinstance(text, str) or not text:
            return
        if speaker != self._speaker:
            self._end_line()
            console.print(f"\n[bold cyan]{speaker}[/]")
            self._speaker = speaker
        console.out(text, end="", highlight=False)

    def _update(self, data: Mapping[str, Any]) -> None:
        self._end_line()
        for node, update in data.items():
            changed = ", ".join(update) if isinstance(update, dict) else type(update).__name__
            console.print(f"[green]✓[/] [bold]{node}[/] [dim]{changed}[/]")

    def _end_line(self) -> None:
        if self._speaker:
            console.print()
        self._speaker = ""


async def stream_run(url: str) -> str:
    """Stream one run on a new thread, printing its events; the article in the final state."""
    client = get_client(url=url)
    thread = await client.threads.create()
    console.print(f"[dim]thread {thread['thread_id']}[/]")
    printer = Printer()
    async for part in client.runs.stream(
        thread["thread_id"],
        ASSISTANT,
        input={"messages": [{"role": "user", "content": TOPIC}]},
        stream_mode=["messages-tuple", "updates"],
    ):
        printer.show(part.event, part.data)
    state = await client.threads.get_state(thread["thread_id"])
    return final_article(state["values"])


def final_article(values: Any) -> str:
    """What a graph wrote: the state's `article`, or else its last message that has text."""
    if isinstance(values, dict) and values.get("article"):
        return values["article"]
    messages = values.get("messages", []) if isinstance(values, dict) else []
    return next(
        (text for message in reversed(messages) if isinstance(text := message.get("content"), str) and text), ""
    )


def main() -> int:
    """Run the demonstration; 0 when an article came out of it."""
    started = time.monotonic()
    try:
        config = local_server.prepare_copy()
        with contextlib.ExitStack() as stack:
            with progress.step("Starting the server"):
                server = stack.enter_context(local_server.serve(config=config))
            console.print(f"[dim]{server.url} answers {time.monotonic() - started:.1f} s after the start[/]")
            article = asyncio.run(stream_run(server.url))
    except SetupError as error:
        console.print(f"[red]error:[/] {error}", soft_wrap=True)
        return 1
    console.rule("The article")
    console.print(article or "[red]none[/]")
    return 0 if article else 1


if __name__ == "__main__":
    sys.exit(main())
