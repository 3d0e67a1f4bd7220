"""Graphs whose runs give up one after the other: when their other runs are not tried again, and when they are again."""

import asyncio
import logging
from dataclasses import replace
from itertools import count

import pytest

import clock
from runs import attempts, dead_letters
from tables import run_claims
from tables.run_history import Stamp
from tests.support.fragile_threads import SETTINGS, Fragile


@pytest.fixture
def fragile() -> Fragile:
    return Fragile()


async def open_the_circuit(fragile: Fragile) -> None:
    for _ in range(SETTINGS.circuit_failures):
        await fragile.give_up(await fragile.thread())


def let_time_pass(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    moment = clock.moment
    monkeypatch.setattr(clock, "moment", lambda: clock.shifted(moment(), seconds))


async def test_a_graph_that_fails_every_time_is_not_tried_again(
    fragile: Fragile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await open_the_circuit(fragile)
    [opened] = [record for record in caplog.records if getattr(record, "event", "") == "circuit_opened"]
    assert (opened.graph_id, opened.failures) == ("fragile", 2)  # type: ignore[attr-defined]
    metrics = await fragile.metrics()
    assert 'superstep_circuit_open{graph="fragile",version="test"} 1' in metrics
    assert 'superstep_dead_letters{graph="fragile"} 2' in metrics
    thread = await fragile.thread()
    refused = await thread.create("fragile", input={"log": []})
    await fragile.kill(thread)
    await thread.runner.work()
    letter = (await fragile.letters())[0]
    assert (letter["run_id"], letter["reason"]["error"]) == (refused, "CircuitOpen")

    let_time_pass(monkeypatch, SETTINGS.circuit_cooldown_seconds + 1)
    probe = await fragile.thread()
    await probe.create("fragile", input={"log": []})
    await fragile.kill(probe)
    other = await fragile.thread()
    not_the_probe = await other.create("fragile", input={"log": []})
    await fragile.kill(other)
    await fragile.kill(probe)
    await other.runner.work()
    assert (await fragile.letters())[0]["run_id"] == not_the_probe
    fragile.outside.is_well = True
    with caplog.at_level(logging.INFO):
        await probe.runner.work()
    assert fragile.api.rows("circuits") == 0
    assert [record.getMessage() for record in caplog.records if getattr(record, "event", "") == "circuit_closed"]


def probe_of(fragile: Fragile) -> str | None:
    [row] = fragile.api.db.connection.execute("SELECT probe_run_id FROM circuits").fetchall()
    return row[0]


async def test_a_run_that_is_to_stop_is_no_probe(fragile: Fragile, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_the_circuit(fragile)
    thread = await fragile.thread()
    run_id = await thread.create("fragile", input={"log": []})
    await fragile.kill(thread)
    let_time_pass(monkeypatch, SETTINGS.circuit_cooldown_seconds + 1)
    await fragile.api.json("POST", f"/threads/{thread.thread_id}/runs/{run_id}/cancel", status=202)
    await thread.runner.work()
    assert await thread.status(run_id) == "interrupted"
    assert probe_of(fragile) is None


async def test_a_run_that_somebody_else_took_over_is_no_probe(
    fragile: Fragile, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_the_circuit(fragile)
    thread = await fragile.thread()
    await thread.create("fragile", input={"log": []})
    await fragile.kill(thread)
    database = fragile.api.db
    claim = await run_claims.claim_oldest_pending(database, thread.thread_id, Stamp(clock.moment(), "test"))
    assert claim.running
    fragile.outside.is_well = True
    await thread.runner.work()
    let_time_pass(monkeypatch, SETTINGS.circuit_cooldown_seconds + 1)
    assert await attempts.take_over(database, claim.running, Stamp(clock.moment(), "test"), SETTINGS) is None
    assert probe_of(fragile) is None


async def test_a_probe_keeps_its_place_as_long_as_each_attempt_is_quicker_than_the_cooldown(
    fragile: Fragile, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_the_circuit(fragile)
    let_time_pass(monkeypatch, SETTINGS.circuit_cooldown_seconds + 1)
    probe, other = await fragile.thread(), await fragile.thread()
    probing = await probe.create("fragile", input={"log": []})
    refused = await other.create("fragile", input={"log": []})
    await fragile.kill(other)
    await fragile.kill(probe)
    for _ in range(SETTINGS.max_attempts - 1):
        await fragile.kill(probe)
        let_time_pass(monkeypatch, SETTINGS.circuit_cooldown_seconds * 0.6)
    async with asyncio.timeout(20):  # a probe would wait for ever
        await other.runner.work()
    assert await other.status(refused) == "error"
    assert (await fragile.letters())[0]["reason"]["error"] == "CircuitOpen"
    assert probe_of(fragile) == probing
    await probe.runner.work()
    assert (await fragile.letters())[0]["reason"]["error"] == "AttemptsExhausted"
    assert probe_of(fragile) is None


@pytest.mark.parametrize(
    ("failures", "cooldown", "kept_seconds"),
    [
        (SETTINGS.circuit_failures, 60, dead_letters.CIRCUIT_QUIET_SECONDS),
        (SETTINGS.circuit_failures, 48 * 3600, 96 * 3600),
        (1, 60, dead_letters.CIRCUIT_MEMORY_SECONDS),
    ],
)
async def test_a_circuit_that_nobody_asks_about_is_forgotten(
    fragile: Fragile, failures: int, cooldown: int, kept_seconds: int
) -> None:
    for _ in range(failures):
        await fragile.give_up(await fragile.thread())
    settings = replace(SETTINGS, circuit_cooldown_seconds=cooldown)
    for seconds, left in ((kept_seconds - 60, 1), (kept_seconds + 60, 0)):
        await fragile.api.db.batch(dead_letters.forget(clock.shifted(clock.now_iso(), seconds), settings))
        assert fragile.api.rows("circuits") == left


async def test_a_run_that_is_redriven_while_the_circuit_is_open_has_its_first_attempt(fragile: Fragile) -> None:
    await open_the_circuit(fragile)
    thread = await fragile.thread()
    run_id = await thread.create("fragile", input={"log": []})
    await fragile.kill(thread)
    for _ in range(2):
        await thread.runner.work()
        assert await thread.status(run_id) == "error"
        assert (await fragile.letters())[0]["reason"]["error"] == "CircuitOpen"
        await fragile.redrive(run_id)
        await fragile.kill(thread)
    fragile.outside.is_well = True
    await thread.runner.work()
    await fragile.redrive(run_id)
    await thread.runner.work()
    assert await thread.status(run_id) == "success"
    assert fragile.api.rows("circuits") == 0


async def test_runs_that_are_cut_off_together_count_once(fragile: Fragile) -> None:
    """A storm of kills: ten runs die with each other, again and again, until all have given up."""
    threads = [await fragile.thread() for _ in range(10)]
    for thread in threads:
        await thread.create("fragile", input={"log": []})
    for _ in range(SETTINGS.max_attempts):
        for thread in threads:
            await fragile.kill(thread)
    for thread in threads:
        await thread.runner.work()
    assert len(await fragile.letters()) == 10
    [circuit] = fragile.api.db.connection.execute("SELECT failures, opened_at FROM circuits").fetchall()
    assert tuple(circuit) == (1, None)


async def test_a_success_between_keeps_a_circuit_closed(fragile: Fragile) -> None:
    for _ in range(SETTINGS.circuit_failures * 2):
        await fragile.give_up(await fragile.thread())
        fragile.outside.is_well = True
        well = await fragile.thread()
        await well.create("fragile", input={"log": []})
        await well.runner.work()
        fragile.outside.is_well = False
        assert fragile.api.rows("circuits") == 0


async def test_a_run_that_gives_up_in_the_millisecond_of_its_takeover_counts(
    fragile: Fragile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moments of one millisecond do not sort by time."""
    fragile.settings = replace(SETTINGS, max_attempts=1)
    thread = await fragile.thread()
    await thread.create("fragile", input={"log": []})
    await fragile.kill(thread)
    now, microseconds = clock.moment(), count(0, -1)
    monkeypatch.setattr(clock, "moment", lambda: clock.shifted(now, next(microseconds) / 1_000_000))
    await thread.runner.work()
    assert fragile.api.rows("circuits") == 1
