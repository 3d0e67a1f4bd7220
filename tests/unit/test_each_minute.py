"""The jobs of each minute."""

import asyncio
import logging

import pytest

import clock
import each_minute
from api import cron_fires
from project_config.sections import CheckpointerConfig, ProjectConfig, StoreConfig, StoreTtl, ThreadTtl
from runs import sweep
from runs.threads import thread_pruning
from tests.support.http_api import Api

#: 2026-11-21T04:06:00Z
MINUTE_MS = 1795233960000


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now_ms", lambda: MINUTE_MS + 300)
    monkeypatch.setattr(clock, "now_iso", lambda: "2026-11-21T04:06:00.300000+00:00")


def api_with(config: ProjectConfig) -> Api:
    api = Api()
    object.__setattr__(api.services, "config", config)
    return api


async def fill(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A due cron, an expired thread, an expired item, and a run that nobody works on."""
    with monkeypatch.context() as earlier:
        earlier.setattr(clock, "now_iso", lambda: "2026-11-21T04:04:30.000000+00:00")
        await api.json("POST", "/runs/crons", {"assistant_id": "sequence", "schedule": "* * * * *"})
        await api.json("POST", "/threads", {"ttl": {"ttl": 0.5, "strategy": "delete"}})
        await api.store.aput(("a",), "k", {}, ttl=0.5)
        await api.json("POST", "/runs", {"assistant_id": "sequence"}, status=202)
    api.queue.sent.clear()


@pytest.mark.usefixtures("now")
async def test_a_tick_does_all_that_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    await fill(api, monkeypatch)
    await each_minute.tick(api.services, scheduled_ms=MINUTE_MS)
    # The cron's two runs, for 04:05 and 04:06, and the forgotten one.
    assert len(api.queue.sent) == 3
    assert (api.rows("runs"), api.rows("threads"), api.rows("store_items")) == (3, 3, 0)


#: What nobody needs any more, by the table that has it.
LONG_AGO = "2025-11-21T04:06:00.000000+00:00"
LEFT_BEHIND: dict[str, dict[str, object]] = {
    "dead_letters": {"run_id": "m", "reason": "{}", "created_at": LONG_AGO},
    "deleted_threads": {"thread_id": "t"},
    "idempotency_keys": {"digest": "00", "fingerprint": "f", "made": "[]", "created_at": LONG_AGO},
    "node_cache": {"release": "r", "namespace": "n", "key": "k", "type": "t", "value": b"", "expires_at": 1},
    "run_metrics": {
        **dict.fromkeys(("graph_id", "version", "status", "waits", "executions"), ""),
        **dict.fromkeys(("runs", "wait_seconds", "execution_seconds", "supersteps", "retries", "recovery_seconds"), 0),
        **dict.fromkeys(("d1_batches", "d1_rows_read", "d1_rows_written", "d1_seconds"), 0),
        "updated_at": LONG_AGO,
    },
    "webhooks": {"run_id": "0", "thread_id": "t", "delivered_at": LONG_AGO, "url": "u", "body": "null"},
}


@pytest.mark.usefixtures("now")
async def test_what_was_left_behind_goes() -> None:
    api = Api()
    for table, row in LEFT_BEHIND.items():
        sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
        api.db.connection.execute(sql, tuple(row.values()))
    overdue = "INSERT INTO webhooks (run_id, thread_id, due_at, url, body) VALUES ('1', 't', ?, 'u', '{}')"
    api.db.connection.execute(overdue, (LONG_AGO,))
    # Each job has its turn, and the keys' first share.
    await each_minute.tick(api.services, scheduled_ms=0)
    assert api.webhook_queue.sent == ["1"]
    api.db.connection.execute("DELETE FROM webhooks WHERE run_id = '1'")
    assert {table: api.rows(table) for table in LEFT_BEHIND} == dict.fromkeys(LEFT_BEHIND, 0)


@pytest.mark.usefixtures("now")
async def test_one_job_that_fails_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    api = Api()
    await fill(api, monkeypatch)
    monkeypatch.setattr(each_minute.cron_fires, "fire_due", None)
    with caplog.at_level(logging.ERROR):
        await each_minute.tick(api.services, scheduled_ms=MINUTE_MS)
    assert "fire_crons" in caplog.text
    assert (api.rows("threads"), api.rows("store_items")) == (1, 0)


@pytest.mark.usefixtures("now")
async def test_the_projects_intervals_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    store, threads = StoreTtl(sweep_interval_minutes=5), ThreadTtl(sweep_interval_minutes=7)
    api = api_with(ProjectConfig(store=StoreConfig(ttl=store), checkpointer=CheckpointerConfig(ttl=threads)))
    await fill(api, monkeypatch)
    left = []
    for minute in range(8):
        scheduled_ms = MINUTE_MS + minute * 60_000
        # Some come more than a minute late, and still it is their turn.
        monkeypatch.setattr(clock, "now_ms", lambda at=scheduled_ms + minute % 2 * 61_000: at)
        await each_minute.tick(api.services, scheduled_ms=scheduled_ms)
        ttls = api.db.connection.execute("SELECT COUNT(*) FROM threads WHERE ttl_minutes IS NOT NULL").fetchone()[0]
        left.append((ttls, api.rows("store_items")))
    first_thread_turn = next(m for m in range(8) if (MINUTE_MS // 60_000 + m) % 7 == 0)
    first_store_turn = next(m for m in range(8) if (MINUTE_MS // 60_000 + m) % 5 == 0)
    assert [threads for threads, _ in left].index(0) == first_thread_turn
    assert [items for _, items in left].index(0) == first_store_turn


@pytest.mark.usefixtures("now")
async def test_one_job_that_hangs_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    await fill(api, monkeypatch)

    async def hangs(services: object, *, before: str) -> int:
        await asyncio.sleep(3600)
        return 0

    monkeypatch.setattr(each_minute.cron_fires, "fire_due", hangs)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(each_minute.tick(api.services, scheduled_ms=MINUTE_MS), timeout=1)
    assert (api.rows("threads"), api.rows("store_items")) == (1, 0)


#: Calls to D1 that one invocation of a Worker may make.
D1_CALLS = 1000


def copy(api: Api, table: str, number: int, where: str = "1", **changed: str) -> None:
    """Rows like one of a table; `changed` are SQL expressions, in which `n` counts."""
    names = [row["name"] for row in api.db.connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(changed.get(name, name) for name in names)
    api.db.connection.execute(
        f"""
        WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {number})
        INSERT INTO {table} SELECT {values} FROM counted, (SELECT * FROM {table} WHERE {where} LIMIT 1)
        """
    )


@pytest.mark.usefixtures("now")
async def test_a_backlog_of_everything_stays_within_the_platforms_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job has more than a minute's work, and each does a minute's worth of it."""
    api = Api()
    await fill(api, monkeypatch)
    numbered = "printf('%08x', n) || substr({}, 9)".format
    copy(api, "crons", 400, cron_id=numbered("cron_id"))
    copy(api, "store_items", 10_000, item_id="n + 10", key="'k' || n")
    copy(api, "runs", 25_000, thread_id=numbered("thread_id"))
    expired = "ttl_strategy = 'delete'"
    copy(api, "threads", 600, expired, thread_id=numbered("thread_id"), ttl_strategy="'keep_latest'")
    copy(api, "threads", 600, expired, thread_id="'f' || substr(" + numbered("thread_id") + ", 2)")
    items, calls = api.rows("store_items"), api.db.round_trips
    await each_minute.tick(api.services, scheduled_ms=MINUTE_MS)
    # Pruning a thread that has checkpoints takes a call more, or two.
    assert api.db.round_trips - calls + 2 * thread_pruning.MAX_PRUNED_A_MINUTE < D1_CALLS
    assert api.rows("cron_fires") == cron_fires.MAX_TIMES
    assert items - api.rows("store_items") == each_minute.PAGE_EXPIRED * each_minute.MAX_EXPIRED_PAGES
    assert len(api.queue.sent) == sweep.PAGE_ROWS * sweep.MAX_PAGES + cron_fires.MAX_TIMES
    left = "SELECT COUNT(*) FROM threads WHERE expires_at IS NOT NULL AND ttl_strategy = ?"
    for strategy, number in (
        ("delete", 601 - thread_pruning.MAX_RETIRED),
        ("keep_latest", 600 - thread_pruning.MAX_PRUNED_A_MINUTE),
    ):
        assert api.db.connection.execute(left, (strategy,)).fetchone()[0] == number
