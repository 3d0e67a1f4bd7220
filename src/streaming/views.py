"""The thread's log as clients of the run stream and of the thread stream read it; the third view is `protocol_view.py`.

A view is a function from an entry to the text that is sent of it, which is "" for entries that it does not show.
"""

import json
from collections.abc import Callable, Collection
from typing import Final, TypeAlias

from streaming import sse
from streaming.events import Frame
from streaming.json_text import dumps
from streaming.run_stream import ENDED, RESUMED, STARTED

View: TypeAlias = Callable[[Frame], str]

#: The entry for a state that no run has made.
STATE_UPDATE: Final = "state_update"


_ATTEMPTS: Final = (STARTED, RESUMED)


def run_view(modes: Collection[str]) -> View:
    """The events of a run, or only those of some stream modes, and errors."""

    def text(frame: Frame) -> str:
        if not sse.is_wanted(frame.name, modes) or frame.name.startswith(ENDED):
            return ""
        return _metadata_of_start(frame) if frame.name in _ATTEMPTS else frame.text

    return text


def thread_view(modes: Collection[str]) -> View:
    """What happens on a thread: `run_modes` (all events of its runs), `lifecycle`, `state_update`."""
    shows_runs = "run_modes" in modes
    shows_lifecycle = shows_runs or "lifecycle" in modes
    shows_state_updates = "state_update" in modes

    def text(frame: Frame) -> str:
        if frame.name == STATE_UPDATE and not frame.run_id:
            return frame.text if shows_state_updates else ""
        if frame.name in _ATTEMPTS:
            return _metadata_of_start(frame) if shows_lifecycle else ""
        if frame.name.startswith(ENDED):
            done = dumps({"status": "run_done", "run_id": frame.run_id})
            return sse.encode("metadata", done, frame.id) if shows_lifecycle else ""
        return frame.text if shows_runs else ""

    return text


def _metadata_of_start(frame: Frame) -> str:
    started = json.loads(sse.data_of(frame))
    return sse.encode("metadata", dumps({key: started[key] for key in ("run_id", "attempt")}), frame.id)
