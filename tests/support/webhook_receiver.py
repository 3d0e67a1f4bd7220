"""A receiver of webhooks on this machine: it keeps what it gets and answers as it is told."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WebhookReceiver:
    """Answers with `statuses`, one after the other, and 200 after that."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self._changed = threading.Condition()
        self._received: list[tuple[dict[str, str], dict[str, Any]]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        """What goes into a run's `webhook`."""
        return f"http://127.0.0.1:{self._http.server_port}/hook"

    def wait_for(self, run_id: str, *, times: int = 1, seconds: float = 40) -> list[tuple[dict[str, str], Any]]:
        """Headers and body of what came for a run; blocks the calling thread, so async tests use `to_thread`."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while len(found := [each for each in self._received if each[1]["run_id"] == run_id]) < times:
                left = deadline - time.monotonic()
                assert left > 0, f"{len(found)} webhooks of run {run_id} within {seconds} s, not {times}"
                self._changed.wait(left)
            return found

    def bodies(self) -> list[dict[str, Any]]:
        """All that came so far."""
        with self._changed:
            return [body for _, body in self._received]

    def _handler_class(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with receiver._changed:
                    receiver._received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                    status = receiver.statuses.pop(0) if receiver.statuses else 200
                    receiver._changed.notify_all()
                self.send_response(status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    @contextmanager
    def serving(self) -> Iterator["WebhookReceiver"]:
        """Listen on a free port of the loopback interface within the block."""
        thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()
