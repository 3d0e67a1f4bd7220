"""`bindings/d1.py` of the Worker that the benchmark counts with: the production one, plus a log line for every batch.

Runs on workerd, where `bench/bill.py` puts it in the place of the original, which is then `bindings/plain_d1.py`.
"""

import json

from bindings.plain_d1 import database, patient_database  # type: ignore[import-not-found]
from js import console  # noqa: TID251 - part of bindings/ once it is in place

import d1_usage

__all__ = ["database", "patient_database"]

_count = d1_usage.count


def _log(*, rows_read: int, rows_written: int, seconds: float) -> None:
    """Tell what Cloudflare would bill."""
    console.log("d1-batch " + json.dumps({"rows_read": rows_read, "rows_written": rows_written}))
    _count(rows_read=rows_read, rows_written=rows_written, seconds=seconds)


d1_usage.count = _log
