"""The chaos campaign's checker accepts a good history and rejects every broken one, each for its own reason."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from tests.chaos.campaign import checker, results
from tests.chaos.campaign.history import (
    Answered,
    Asked,
    CheckpointAtEnd,
    Crashed,
    CronAtEnd,
    Event,
    Heard,
    History,
    RunAtEnd,
    Shown,
    Stepped,
    StopAsked,
    StreamEnded,
    Surprised,
    ThreadAtEnd,
    ThreadDeleted,
    Told,
    WebhookCall,
)

Change: TypeAlias = Callable[[History], History]

LOG = ["one/0", "one/1", "two/0"]
STREAM: list[tuple[str, str, Any]] = [
    ("5-0", "metadata", {"run_id": "id-one"}),
    ("5-1", "values", {"log": []}),
    ("6-0", "updates", {"step": {"log": ["one/0"]}}),
    ("6-1", "values", {"log": LOG[:1]}),
    ("7-0", "updates", {"step": {"log": ["one/1"]}}),
    ("7-1", "values", {"log": LOG[:2]}),
]


def shown(index: int, at: float) -> Shown:
    id_, event, data = STREAM[index]
    return Shown(at=at, name="one", viewer="one/creator", id=id_, event=event, data=data)


LIFE = [("started", 1), ("resumed", 2), ("ended", 2)]

EVENTS: list[Event] = [
    Asked(at=0, name="one", thread_id="t", steps=2),
    Answered(at=1, name="one", answer="accepted", run_id="id-one"),
    Asked(at=1.5, name="two", thread_id="t", steps=1, calls=True),
    Answered(at=2, name="two", answer="accepted", run_id="id-two"),
    shown(0, 3),
    shown(1, 3.1),
    Stepped(at=4, sent=4, until=4.5, name="one", step=0),
    shown(2, 5),
    shown(3, 5.1),
    Stepped(at=6, sent=6, until=9, name="one", step=1),
    Crashed(at=7, kind="workerd killed", ready_at=8),
    Stepped(at=10, sent=10, until=10.5, name="one", step=1),
    shown(4, 11),
    shown(5, 11.1),
    StreamEnded(at=12, name="one", viewer="one/creator"),
    Stepped(at=13, sent=13, until=13.5, name="two", step=0),
    Told(at=14, name="one", source="join", log=LOG[:2]),
    Told(at=15, name="two", source="get", status="success"),
    Asked(at=15.5, name="gone", thread_id="deleted", steps=1),
    Answered(at=16, name="gone", answer="accepted", run_id="id-gone"),
    ThreadDeleted(at=17, thread_id="deleted"),
    Heard(at=18, name="one", seq=1, log=None, is_end=False),
    Heard(at=18, name="one", seq=2, log=[], is_end=False),
    Heard(at=18, name="one", seq=4, log=LOG[:1], is_end=False),
    Heard(at=18, name="one", seq=6, log=LOG[:2], is_end=False),
    Heard(at=18, name="one", seq=7, log=None, is_end=True),
]

THREAD = ThreadAtEnd(
    thread_id="t",
    status="idle",
    log=LOG,
    runs=[
        RunAtEnd(name="one", run_id="id-one", status="success", log=LOG[:2], stream=STREAM, life=LIFE),
        RunAtEnd(name="two", run_id="id-two", status="success", log=LOG, stream=[], life=LIFE),
    ],
    checkpoints=[
        CheckpointAtEnd(step=-1, run_id="id-one", log=[]),
        CheckpointAtEnd(step=0, run_id="id-one", log=[]),
        CheckpointAtEnd(step=1, run_id="id-one", log=LOG[:1]),
        CheckpointAtEnd(step=2, run_id="id-one", log=LOG[:2]),
        CheckpointAtEnd(step=3, run_id="id-two", log=LOG[:2]),
        CheckpointAtEnd(step=4, run_id="id-two", log=LOG[:2]),
        CheckpointAtEnd(step=5, run_id="id-two", log=LOG),
    ],
)

TIMES = [f"2026-01-01T00:0{minute}:00+00:00" for minute in range(3)]

GOOD = History(
    events=EVENTS,
    threads=[THREAD, ThreadAtEnd(thread_id="deleted", status=None)],
    webhooks=[WebhookCall(name="two", status="success")],
    crons=[CronAtEnd(cron_id="c", seconds=60, fires=TIMES, runs=[(at, "success") for at in TIMES])],
)


def test_a_good_history_is_believed() -> None:
    assert checker.check(GOOD) == []
    assert results.recovery_times(GOOD) == [(3, 2)]


def thread(**changes: Any) -> Change:
    return lambda good: replace(good, threads=[replace(THREAD, **changes), *good.threads[1:]])


def run(name: str, **changes: Any) -> Change:
    runs = [replace(each, **changes) if each.name == name else each for each in THREAD.runs]
    return thread(runs=runs)


def without(index: int) -> Change:
    return lambda good: replace(good, events=[event for event in good.events if event is not EVENTS[index]])


def also(*events: Event) -> Change:
    return lambda good: replace(good, events=[*good.events, *events])


def changed(index: int, **changes: Any) -> Change:
    return lambda good: replace(
        good, events=[replace(event, **changes) if event is EVENTS[index] else event for event in good.events]
    )


def cron(*runs: tuple[str, str], fires: list[str] | None = None) -> Change:
    times = [at for at, _ in runs] if fires is None else fires
    return lambda good: replace(good, crons=[CronAtEnd(cron_id="c", seconds=60, fires=times, runs=list(runs))])


BROKEN: dict[str, tuple[str, Change]] = {
    "a run is still at work": ("every accepted run ends", run("two", status="running")),
    "a run is gone": ("every accepted run ends", thread(runs=THREAD.runs[:1], log=LOG[:2])),
    "a run was stopped by nobody": ("every accepted run ends", run("two", status="interrupted")),
    "a run was to stop and is gone": (
        "every accepted run ends",
        lambda good: also(StopAsked(at=3, name="two", action="interrupt"))(
            thread(runs=THREAD.runs[:1], log=LOG[:2])(good)
        ),
    ),
    "a run failed by itself": ("every accepted run ends", run("two", status="error")),
    "a refused run exists": ("every accepted run ends", also(Answered(at=20, name="two", answer="refused"))),
    "a deleted thread is there": (
        "every accepted run ends",
        lambda good: replace(good, threads=[THREAD, ThreadAtEnd(thread_id="deleted", status="idle")]),
    ),
    "a thread is busy": ("nothing is stuck or left behind", thread(status="busy")),
    "a thread is in error": ("nothing is stuck or left behind", thread(status="error")),
    "rows are left": ("nothing is stuck or left behind", lambda good: replace(good, leftovers=["1 run"])),
    "a client got a 404": (
        "clients get answers that they can work with",
        also(Surprised(at=1, thread_id="t", what="404")),
    ),
    "a step is lost": ("super-steps are committed once and in order", thread(log=["one/0", "two/0"])),
    "a step is committed twice": ("super-steps are committed once and in order", thread(log=["one/0", *LOG])),
    "steps are mixed": ("super-steps are committed once and in order", thread(log=["one/0", "two/0", "one/1"])),
    "a checkpoint is lost": ("checkpoints are contiguous", thread(checkpoints=THREAD.checkpoints[:3])),
    "a checkpoint is there twice": (
        "checkpoints are contiguous",
        thread(checkpoints=[*THREAD.checkpoints[:3], *THREAD.checkpoints[2:]]),
    ),
    "a checkpoint forgets": (
        "checkpoints are contiguous",
        thread(checkpoints=[*THREAD.checkpoints[:-1], replace(THREAD.checkpoints[-1], log=["two/0"])]),
    ),
    "a side effect is missing": ("side effects are made at least once", without(15)),
    "a step ran twice for nothing": (
        "a step runs again only after trouble",
        also(Stepped(at=13.6, sent=13.6, until=13.7, name="two", step=0)),
    ),
    "a shown step ran again": (
        "what was shown does not run again",
        also(Stepped(at=11.5, sent=11.5, until=11.6, name="one", step=0)),
    ),
    "two runs at a time": ("one run at a time, in order", changed(11, until=14)),
    "runs take turns": ("one run at a time, in order", changed(15, at=4.6, sent=4.6, until=4.7)),
    "the second came first": ("one run at a time, in order", changed(15, at=3.5, sent=3.5, until=3.7)),
    "an event is missing": ("streams have no gap and no repeat", without(8)),
    "the end is missing": ("streams have no gap and no repeat", without(13)),
    "an event came twice": ("streams have no gap and no repeat", also(shown(5, 11.2))),
    "an event is another": ("streams have no gap and no repeat", changed(8, data={"log": []})),
    "a listener missed something": ("who listens hears everything once", without(23)),
    "a listener missed the last": ("who listens hears everything once", without(24)),
    "a listener heard numbers twice": ("who listens hears everything once", changed(24, seq=4)),
    "a listener heard something else": ("who listens hears everything once", changed(24, log=LOG[:1])),
    "the stream has a gap": ("streams show an undisturbed run", run("one", stream=[*STREAM[:3], *STREAM[4:]])),
    "the stream ends early": ("streams show an undisturbed run", run("one", stream=STREAM[:4])),
    "join says something else": ("everybody is told the same", changed(16, log=LOG[:1])),
    "an attempt is missing": ("a run's history has all of its attempts", run("two", life=LIFE[1:])),
    "an end is missing": ("a run's history has all of its attempts", run("two", life=LIFE[:2])),
    "a run ended twice": ("a run's history has all of its attempts", run("two", life=[*LIFE, LIFE[-1]])),
    "a receiver heard nothing": ("webhooks are delivered at least once", lambda good: replace(good, webhooks=[])),
    "a receiver heard something else": (
        "webhooks are delivered at least once",
        lambda good: replace(good, webhooks=[*good.webhooks, WebhookCall(name="two", status="error")]),
    ),
    "a cron never fired": ("crons fire exactly once", cron()),
    "a cron fired twice": ("crons fire exactly once", cron((TIMES[0], "success"), (TIMES[0], "success"))),
    "a cron missed a minute": ("crons fire exactly once", cron((TIMES[0], "success"), (TIMES[2], "success"))),
    "a cron's run is not noted": ("crons fire exactly once", cron((TIMES[0], "success"), fires=[])),
    "a cron's run failed": ("crons fire exactly once", cron((TIMES[0], "error"))),
    "a retry made a second run": (
        "every accepted run ends",
        thread(runs=[*THREAD.runs, replace(THREAD.runs[1], run_id="id-three")]),
    ),
    "the status changes later": ("everybody is told the same", changed(17, status="error")),
}


@pytest.mark.parametrize(("promise", "change"), BROKEN.values(), ids=BROKEN)
def test_a_broken_history_is_refused_for_its_reason(promise: str, change: Change) -> None:
    assert promise in {violation.promise for violation in checker.check(change(GOOD))}


def test_every_promise_is_broken_by_some_history() -> None:
    assert {promise for promise, _ in BROKEN.values()} == set(checker.PROMISES)
