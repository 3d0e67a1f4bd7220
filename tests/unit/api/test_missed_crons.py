"""Times at which nothing ticked: after an outage, with a change in the middle of it, with a crash."""

from typing import Any

import pytest

from api import cron_fires
from tests.support.cron_server import CronServer

HOURLY = {"schedule": "@hourly"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> CronServer:
    return CronServer(monkeypatch)


def at(time: str, day: int = 21) -> str:
    return f"2026-11-{day}T{time}.200000+00:00"


def times(server: CronServer) -> list[str]:
    """Of the runs, as they were created."""
    return [run["kwargs"]["config"]["configurable"]["cron_scheduled_at"][8:16] for run in server.runs()]


@pytest.mark.parametrize(
    ("on_missed", "history"),
    [
        ("skip", ["05:00-09:00 missed"]),
        ("latest", ["05:00-08:00 missed", "09:00 created"]),
        ("all", [f"0{hour}:00 created" for hour in range(5, 10)]),
    ],
)
async def test_after_an_outage_each_goes_by_its_policy(server: CronServer, on_missed: str, history: list[str]) -> None:
    cron = await server.cron(**HOURLY, on_missed=on_missed)
    for _ in range(2):
        await server.tick(at("09:30:10"))
    assert await server.history(cron) == history
    assert len(server.runs()) == sum("created" in line for line in history)
    assert await server.next_run(cron) == "2026-11-21T10:00:00+00:00"


@pytest.mark.parametrize("on_missed", ["skip", "latest"])
async def test_nothing_is_made_up_for_while_later_times_run(server: CronServer, on_missed: str) -> None:
    cron = await server.cron(on_missed=on_missed)
    assert await server.tick(at("05:06:10")) == 2
    # Those of the last two minutes are late, not missed.
    assert await server.history(cron) == ["04:06-05:04 missed", "05:05 created", "05:06 created"]


async def test_a_single_time_that_was_missed_is_no_row_of_them(server: CronServer) -> None:
    skips, latest = await server.cron(**HOURLY, on_missed="skip"), await server.cron(**HOURLY)
    assert await server.tick(at("05:30:00")) == 1
    assert await server.history(skips) == ["05:00 missed"]
    assert await server.history(latest) == ["05:00 created"]


@pytest.mark.parametrize("on_missed", ["skip", "latest", "all"])
async def test_a_tick_that_was_lost_or_late_is_no_outage(server: CronServer, on_missed: str) -> None:
    minutely = await server.cron(on_missed=on_missed)
    daily = await server.cron(schedule="6 4 * * *", on_missed=on_missed)
    assert await server.tick(at("04:07:50")) == 3
    assert await server.history(minutely) == ["04:06 created", "04:07 created"]
    assert await server.history(daily) == ["04:06 created"]


@pytest.mark.parametrize(
    ("on_missed", "history"),
    [
        ("skip", ["05:00-07:00 missed"]),
        ("latest", ["05:00-06:00 missed", "07:00 created"]),
        ("all", ["05:00 created", "06:00 created", "07:00 created"]),
    ],
)
async def test_an_end_during_the_outage_is_the_end(server: CronServer, on_missed: str, history: list[str]) -> None:
    cron = await server.cron(**HOURLY, on_missed=on_missed, end_time="2026-11-21T07:30:00+00:00")
    for time in ("09:30:10", "10:00:00"):
        await server.tick(at(time))
    assert await server.history(cron) == history


async def test_what_came_while_a_cron_was_disabled_or_had_ended_was_not_missed(server: CronServer) -> None:
    disabled, ended = await server.cron(**HOURLY), await server.cron(**HOURLY, end_time="2026-11-21T04:30:00+00:00")
    await server.patch(disabled, at("04:30:00"), enabled=False)
    await server.tick(at("07:00:00"))
    await server.patch(disabled, at("09:30:00"), enabled=True)
    await server.patch(ended, at("09:30:00"), end_time=None)
    assert await server.tick(at("10:00:00")) == 2
    assert await server.history(disabled) == await server.history(ended) == ["10:00 created"]


@pytest.mark.parametrize(
    "change", [{"schedule": "@daily"}, {"timezone": "Asia/Tokyo"}, {"enabled": False}, {"end_time": "2020-01-01"}]
)
async def test_what_was_due_when_the_times_changed_is_noted(server: CronServer, change: dict[str, Any]) -> None:
    cron = await server.cron(**HOURLY, on_missed="all")
    changed = await server.patch(cron, at("06:30:00"), **change)
    assert changed["next_run_date"] > at("06:30:00")
    await server.tick(at("06:31:00"))
    assert await server.history(cron) == ["05:00-06:00 rescheduled"]


async def test_a_change_of_something_else_leaves_what_is_due(server: CronServer) -> None:
    cron = await server.cron(**HOURLY)
    await server.patch(cron, at("06:30:00"), on_missed="all", input={"topic": "new"}, enabled=True)
    assert await server.tick(at("06:31:00")) == 2
    assert await server.history(cron) == ["05:00 created", "06:00 created"]


async def test_a_change_that_the_clock_overtakes_is_made_to_what_it_left(
    server: CronServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cron = await server.cron(**HOURLY)
    others = [lambda: server.tick(at("05:00:00"))]

    async def batch(statements: Any) -> Any:
        if others and any("UPDATE crons" in statement.sql for statement in statements):
            await others.pop()()
        return await original(statements)

    original = server.api.db.batch
    monkeypatch.setattr(server.api.db, "batch", batch)
    changed = await server.patch(cron, at("05:00:00"), schedule="30 * * * *")
    assert changed["next_run_date"] == "2026-11-21T05:30:00+00:00"
    assert await server.history(cron) == ["05:00 created"]


async def test_all_goes_on_until_everything_is_made_up_for_in_order(
    server: CronServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cron_fires, "MAX_TIMES", 100)
    quarterly = await server.cron(schedule="*/15 * * * *", on_missed="all", end_time="2026-11-23T04:00:00+00:00")
    minutely = await server.cron()
    created = [await server.tick(at(f"12:0{minute}:00", day=23)) for minute in range(4)]
    # 192 quarters of an hour; the other cron has one step for what it missed, and is on time from then on.
    assert created == [99, 96, 1, 1]
    assert [fire["outcome"] for fire in await server.fires(minutely)] == ["skipped", *["created"] * 5]
    made_up = [
        run["kwargs"]["config"]["configurable"]["cron_scheduled_at"]
        for run in server.runs()
        if run["kwargs"]["config"]["configurable"]["cron_id"] == quarterly["cron_id"]
    ]
    assert made_up == sorted(set(made_up))
    assert (len(made_up), made_up[0][8:16], made_up[-1][8:16]) == (192, "21T04:15", "23T04:00")


async def test_all_goes_back_a_week(server: CronServer) -> None:
    cron = await server.cron(schedule="0 */12 * * *", on_missed="all")
    assert await server.tick(at("13:00:00", day=30)) == 14
    first, *others = await server.fires(cron)
    assert (first["scheduled_at"], first["scheduled_until"], first["reason"]) == (
        "2026-11-21T12:00:00+00:00",
        "2026-11-23T12:00:00+00:00",
        "missed",
    )
    assert [fire["scheduled_at"][8:16] for fire in others] == times(server)
    assert times(server)[0] == "24T00:00"


async def test_what_an_outage_left_does_not_delay_what_is_on_time(
    server: CronServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cron_fires, "MAX_TIMES", 8)
    monkeypatch.setattr(cron_fires, "MAX_TIMES_IN_A_ROW", 2)
    late = [await server.cron(on_missed="all") for _ in range(3)]
    server.now = at("05:59:30")
    punctual = [await server.cron() for _ in range(4)]
    assert await server.tick(at("06:00:00")) == 8
    for cron in punctual:
        assert await server.history(cron) == ["06:00 created"]
    assert sorted([len(await server.fires(cron)) for cron in late]) == [0, 2, 2]


async def test_a_schedule_that_can_no_longer_be_read_is_left_alone(server: CronServer) -> None:
    cron, fine = await server.cron(), await server.cron()
    server.api.db.connection.execute(
        "UPDATE crons SET schedule = 'once upon a time' WHERE cron_id = ?", (cron["cron_id"],)
    )
    assert await server.tick() == 2
    assert await server.tick(at("04:07:00")) == 1
    assert await server.next_run(cron) == "9999-12-31T00:00:00+00:00"
    assert len(await server.fires(fine)) == 2


async def test_what_one_minute_has_no_room_for_runs_in_the_next_ones(
    server: CronServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cron_fires, "MAX_TIMES", 10)
    crons = [await server.cron(schedule="6 4 * * *") for _ in range(35)]
    assert [await server.tick(at(f"04:0{minute}:00")) for minute in (6, 7, 8, 9)] == [10, 10, 10, 5]
    assert [await server.history(cron) for cron in crons] == [["04:06 created"]] * 35
