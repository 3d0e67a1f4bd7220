"""A receiver of webhooks on this machine: it stores what it gets and answers as the test says."""

import json
import threading
from typing import Any, NamedTuple

from tests.support.local_http import Answer, LocalHttp, Request

#: A held request whose test has died is let go after this long.
HOLD_SECONDS = 60.0


class Received(NamedTuple):
    """One webhook; header names are in lower case."""

    headers: dict[str, str]
    body: dict[str, Any]
    #: The body to the letter.
    text: str


class WebhookReceiver(LocalHttp):
    """Answers with `statuses`, one after the other, and 200 after that; as long as it is held, not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[int] = []
        #: Cleared, it holds all answers back.
        self.answers = threading.Event()
        self.answers.set()
        self._received: list[Received] = []

    @property
    def url(self) -> str:
        """What goes into a run's `webhook`."""
        return f"{super().url}/hook"

    def answer(self, request: Request) -> Answer:
        """See `LocalHttp`."""
        with self._changed:
            self._received.append(Received(request.headers, json.loads(request.body), request.body))
            status = self.statuses.pop(0) if self.statuses else 200
            self._changed.notify_all()
        self.answers.wait(HOLD_SECONDS)
        return Answer(status, "ok", {"location": self.url} if 300 <= status < 400 else {})

    def wait_for(self, run_id: str, *, times: int = 1, seconds: float = 40) -> list[Received]:
        """What came for a run; blocks the calling thread, so async tests use `to_thread`."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self._of(run_id)) >= times, timeout=seconds)
            assert came, f"{len(self._of(run_id))} webhooks of run {run_id} within {seconds} s, not {times}"
            return self._of(run_id)

    def bodies(self) -> list[dict[str, Any]]:
        """All that came so far."""
        with self._changed:
            return [received.body for received in self._received]

    def _of(self, run_id: str) -> list[Received]:
        return [received for received in self._received if received.body["run_id"] == run_id]
