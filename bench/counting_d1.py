"""`bindings/d1.py` of the Worker that the benchmark counts with: the production one, plus a log line for every batch.

Runs on workerd, where `bench/bill.py` puts it in the place of the original, which is then `bindings/plain_d1.py`.
"""

import json
from functools import lru_cache
from typing import Any

from js import JSON, console  # noqa: TID251 - part of bindings/ once it is in place
from workers import env  # noqa: TID251

from bindings import plain_d1  # type: ignore[import-not-found]


class _Counted:
    """A D1 binding that tells what Cloudflare would bill."""

    def __init__(self, binding: Any) -> None:
        self._raw = getattr(binding, "_binding", binding)

    def prepare(self, sql: str) -> Any:
        """Not a round trip."""
        return self._raw.prepare(sql)

    async def batch(self, statements: Any) -> Any:
        """One round trip; its line is `d1-batch {"rows_read", "rows_written"}`."""
        answers = await self._raw.batch(statements)
        metas = [answer["meta"] for answer in json.loads(JSON.stringify(answers))]
        line = {name: sum(meta[name] for meta in metas) for name in ("rows_read", "rows_written")}
        console.log("d1-batch " + json.dumps(line))
        return answers


@lru_cache(maxsize=1)
def database() -> plain_d1.D1Database:
    """The Worker's database, counted."""
    return plain_d1.D1Database(_Counted(env.DB))
