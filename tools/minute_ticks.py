"""Cron Triggers for a local server: `wrangler dev` knows them and never fires them by itself."""

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Generator
from time import time
from typing import Final

#: Where wrangler takes the place of Cloudflare's clock.
PATH: Final = "/cdn-cgi/handler/scheduled?cron=*+*+*+*+*&time={milliseconds}"
MINUTE_SECONDS: Final = 60


@contextlib.contextmanager
def ticking(url: str) -> Generator[None]:
    """Let the server at `url` do what is due at each full minute, until the end of the block."""
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
    """One tick for the minute that is now; a server that restarts just then misses it."""
    milliseconds = int(time() // MINUTE_SECONDS * MINUTE_SECONDS * 1000)
    with contextlib.suppress(urllib.error.URLError, OSError):
        urllib.request.urlopen(url + PATH.format(milliseconds=milliseconds), timeout=MINUTE_SECONDS).close()
