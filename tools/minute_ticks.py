"""Cron Triggers for a local server: `wrangler dev` reads them but never fires them."""

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Generator
from time import time
from typing import Final

#: The path by which wrangler fires a Cron Trigger.
PATH: Final = "/cdn-cgi/handler/scheduled?cron=*+*+*+*+*&time={milliseconds}"
MINUTE_SECONDS: Final = 60


@contextlib.contextmanager
def ticking(url: str) -> Generator[None]:
    """Fire the Cron Trigger of the server at `url` each full minute, until the end of the block."""
    stopped = threading.Event()
    thread = threading.Thread(target=_tick_until, args=(url, stopped), name="minute ticks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()


def _tick_until(url: str, stopped: threading.Event) -> None:
    while not stopped.wait(MINUTE_SECONDS - time() % MINUTE_SECONDS):
        tick(url)


def tick(url: str) -> None:
    """One tick for the current minute; a server that is restarting misses it."""
    milliseconds = int(time() // MINUTE_SECONDS * MINUTE_SECONDS * 1000)
    with contextlib.suppress(urllib.error.URLError, OSError):
        urllib.request.urlopen(url + PATH.format(milliseconds=milliseconds), timeout=MINUTE_SECONDS).close()
