"""The sweeper."""

from functools import partial

import pytest

import clock
from runs import sweep
from tests.support.http_api import Api


async def test_only_what_is_due_and_untouched_for_a_minute_is_announced() -> None:
    api = Api()
    bodies = [{"assistant_id": "sequence", "after_seconds": seconds} for seconds in (0, 3600, 1)]
    left, _waits, at_work = [await api.json("POST", "/runs", body, status=202) for body in bodies]
    after = partial(clock.shifted, left["created_at"])
    api.db.connection.execute("UPDATE runs SET updated_at = ? WHERE run_id = ?", (after(40), at_work["run_id"]))
    api.queue.sent.clear()
    assert await sweep.announce_stale(api.db, api.queue, now=after(59)) == 0
    assert await sweep.announce_stale(api.db, api.queue, now=after(90)) == 1
    assert api.queue.sent == [(left["thread_id"], left["run_id"])]


async def test_a_large_backlog_is_announced_page_by_page_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    for _ in range(12):
        await api.json("POST", "/runs", {"assistant_id": "sequence"}, status=202)
    expected = sorted(api.queue.sent)
    api.queue.sent.clear()
    monkeypatch.setattr(sweep, "PAGE_ROWS", 5)
    now = clock.shifted(clock.now_iso(), 120)
    assert await sweep.announce_stale(api.db, api.queue, now=now) == 12
    assert api.queue.sent == expected
    monkeypatch.setattr(sweep, "MAX_PAGES", 2)
    assert await sweep.announce_stale(api.db, api.queue, now=now) == 10


async def test_a_thread_with_many_runs_is_announced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its object looks at all of them; a queue of them must not keep the sweeper from other threads."""
    api = Api()
    threads = sorted([await api.new_thread() for _ in range(2)])
    body = {"assistant_id": "sequence"}
    created = [await api.json("POST", f"/threads/{threads[n // 6]}/runs", body, status=202) for n in range(7)]
    api.queue.sent.clear()
    monkeypatch.setattr(sweep, "PAGE_ROWS", 2)
    monkeypatch.setattr(sweep, "MAX_PAGES", 1)
    assert await sweep.announce_stale(api.db, api.queue, now=clock.shifted(clock.now_iso(), 120)) == 2
    assert api.queue.sent == [(threads[0], created[0]["run_id"]), (threads[1], created[6]["run_id"])]
