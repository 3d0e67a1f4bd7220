"""The sweeper."""

import pytest

import clock
from runs import sweep
from tests.support.http_api import Api


async def test_only_runs_that_nobody_touched_for_a_minute_are_announced() -> None:
    api = Api()
    thread_id = await api.new_thread()
    run = await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202)
    later = {"assistant_id": "sequence", "after_seconds": 3600}
    await api.json("POST", f"/threads/{thread_id}/runs", later, status=202)
    api.queue.sent.clear()
    assert await sweep.announce_stale(api.db, api.queue, now=clock.shifted(run["created_at"], 59)) == 0
    assert await sweep.announce_stale(api.db, api.queue, now=clock.shifted(run["created_at"], 61)) == 1
    assert api.queue.sent == [(thread_id, run["run_id"])]


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
