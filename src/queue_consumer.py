"""A queued run → its thread object: ack, retry later, or give up.

A message only says "look at this run", so it may come twice, late or never: waking an object that has nothing to do
costs one call, and the sweeper finds what no message named.
"""

import json
import logging
from dataclasses import dataclass
from typing import Any, Literal

from ports import ThreadObjects

logger = logging.getLogger(__name__)

#: The first retry waits this long, each further one twice as long.
RETRY_SECONDS = 5
MAX_RETRY_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one delivery."""

    action: Literal["ack", "retry"]
    delay_seconds: int = 0


ACK = Verdict("ack")


async def deliver(body: Any, attempts: int, thread_objects: ThreadObjects) -> Verdict:
    """Wake the thread object that the message names; idempotent by (thread_id, run_id).

    `attempts` counts deliveries of this message from 1. A message that names no run is acknowledged: no later delivery
    can make sense of it.
    """
    match body:
        case {"thread_id": str(thread_id), "run_id": str(run_id)}:
            pass
        case _:
            logger.error("dropped a queue message that names no run: %s", json.dumps(body, default=repr)[:500])
            return ACK
    try:
        await thread_objects.wake(thread_id)
    except Exception:  # whatever the object answered, the row is still there: try again later
        logger.exception("could not wake the object of thread %s for run %s; retrying", thread_id, run_id)
        return Verdict("retry", min(RETRY_SECONDS * 2 ** (attempts - 1), MAX_RETRY_SECONDS))
    return ACK
