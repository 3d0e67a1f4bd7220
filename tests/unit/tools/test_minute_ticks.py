"""The local stand-in for Cloudflare's clock."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tools import minute_ticks


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """A server's address, and the paths that it was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()
        thread.join()


def test_each_minute_ticks_until_the_end(asked: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    url, paths = asked
    times = iter([119.95, 120.01, 179.98, 180.02, 180.03])
    monkeypatch.setattr(minute_ticks, "time", lambda: next(times))
    ticked = threading.Event()
    tick = minute_ticks.tick

    def tick_twice(url: str) -> None:
        tick(url)
        if len(paths) == 2:
            ticked.set()

    monkeypatch.setattr(minute_ticks, "tick", tick_twice)
    with minute_ticks.ticking(url):
        assert ticked.wait(10)
    assert paths == [f"/cdn-cgi/handler/scheduled?cron=*+*+*+*+*&time={ms}" for ms in (120000, 180000)]


def test_a_server_that_is_not_there_misses_its_tick() -> None:
    minute_ticks.tick("http://127.0.0.1:9")
