"""Checks that a history could come from a server that loses nothing and does nothing twice. A pure function.

A model of the graph says what the state of every thread must be: each of its runs adds one line for each of its steps,
in the order in which the runs were created. Whatever a client saw on the way must be a part of that.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, groupby, pairwise
from typing import Any, Final

from tests.chaos.campaign.facts import Facts
from tests.chaos.campaign.history import (
    Crashed,
    Heard,
    History,
    RunAtEnd,
    Shown,
    Stepped,
    StreamEnded,
    Surprised,
    ThreadAtEnd,
    Told,
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One promise that was not kept."""

    promise: str
    what: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.what}"


def check(history: History) -> list[Violation]:
    """All violations; none if the history is possible."""
    facts = Facts(history)
    return [Violation(promise, what) for promise, rule in PROMISES.items() for what in rule(facts)]


def _accepted_runs_end(facts: Facts) -> Iterator[str]:
    at_end = {run.name: run for _, run in facts.runs()}
    for name, times in Counter(run.name for _, run in facts.runs()).items():
        if times > 1:
            yield f"{name} was asked for once and is there {times} times"
    for name in facts.asked:
        thread_id = facts.asked[name].thread_id
        run = at_end.get(name)
        if thread_id in facts.deleted:
            if facts.threads[thread_id].status is not None:
                yield f"thread {thread_id} was deleted and is still there"
        elif run is None and name in facts.accepted and "rollback" not in facts.stops.get(name, ()):
            yield f"{name} was accepted and is gone"
        elif run is not None and name in facts.refused:
            yield f"{name} was refused and exists"
        elif run is not None and run.status not in _possible_ends(facts, name):
            yield f"{name} is {run.status} in the end, not {' or '.join(sorted(_possible_ends(facts, name)))}"


def _nobody_is_surprised(facts: Facts) -> Iterator[str]:
    return (f"thread {event.thread_id}: {event.what}" for event in facts.of(Surprised))


def _possible_ends(facts: Facts, name: str) -> set[str]:
    asked = facts.asked[name]
    by_itself = {"success"} if asked.fails_at is None else {"error"}
    return by_itself | {"interrupted"} if "interrupt" in facts.stops.get(name, ()) else by_itself


def _threads_rest(facts: Facts) -> Iterator[str]:
    yield from facts.history.leftovers
    for thread in facts.history.threads:
        if thread.runs and thread.status is not None and thread.status != (wanted := _resting(facts, thread)):
            yield f"thread {thread.thread_id} is {thread.status}, not {wanted}"


def _resting(facts: Facts, thread: ThreadAtEnd) -> str:
    """The status of a thread at rest: what its last run came to, or the last one that began."""
    if thread.runs[-1].status == "error":
        return "error"
    began = {checkpoint.run_id for checkpoint in thread.checkpoints}
    last = next((run for run in reversed(thread.runs) if run.run_id in began), None)
    if last is None:
        return "idle"
    has_next = facts.asked[last.name].asks_at is not None or not set(_lines(facts, last)) <= set(thread.log)
    return "interrupted" if has_next else "idle"


def _lines(facts: Facts, run: RunAtEnd) -> list[str]:
    """What a run adds to its thread's log when nothing stops it."""
    asked = facts.asked[run.name]
    if asked.answers is not None:
        question = facts.asked[asked.answers]
        begin = question.asks_at or 0
        answered = [f"{question.name}/{begin}=yes"]
        return answered + [f"{question.name}/{step}" for step in range(begin + 1, question.steps)]
    ends = [at for at in (asked.asks_at, asked.fails_at) if at is not None]
    return [f"{run.name}/{step}" for step in range(min([asked.steps, *ends]))]


def _super_steps_are_committed_once_and_in_order(facts: Facts) -> Iterator[str]:
    for thread in facts.history.threads:
        position = 0
        for run in thread.runs:
            lines = _lines(facts, run)
            added = 0
            while added < len(lines) and thread.log[position : position + 1] == [lines[added]]:
                position, added = position + 1, added + 1
            if added < len(lines) and run.name not in facts.stops:
                yield f"{run.name} ({run.status}) left {added} of {len(lines)} steps: {thread.log}"
            if run.name in facts.stops and run.status == "success" and added < len(lines):
                yield f"{run.name} is a success with {added} of {len(lines)} steps: {thread.log}"
        if position < len(thread.log):
            yield f"thread {thread.thread_id} has lines of no run, or twice: {thread.log[position:]} of {thread.log}"


def _checkpoints_are_contiguous(facts: Facts) -> Iterator[str]:
    for thread in facts.history.threads:
        steps = [checkpoint.step for checkpoint in thread.checkpoints]
        if steps != list(range(-1, len(steps) - 1)):
            yield f"thread {thread.thread_id} has checkpoints {steps}"
        for before, after in pairwise(thread.checkpoints):
            if after.log[: len(before.log)] != before.log or len(after.log) > len(before.log) + 1:
                yield f"thread {thread.thread_id}: step {after.step} makes {after.log} of {before.log}"
        if thread.checkpoints and thread.checkpoints[-1].log != thread.log:
            yield f"thread {thread.thread_id} has {thread.log}, its last checkpoint {thread.checkpoints[-1].log}"
        owners = [run_id for run_id, _ in groupby(checkpoint.run_id for checkpoint in thread.checkpoints)]
        order = [run.run_id for run in thread.runs if run.run_id in owners]
        if owners != order:
            yield f"thread {thread.thread_id}: its runs {order} committed in the order {owners}"


def _side_effects_are_made(facts: Facts) -> Iterator[str]:
    for thread in facts.history.threads:
        for line in thread.log:
            name, _, step = line.partition("=")[0].partition("/")
            if not any(done.step == int(step) for done in facts.steps.get(name, [])):
                yield f"{line} is committed without its side effect"


def _steps_run_again_only_after_trouble(facts: Facts) -> Iterator[str]:
    for name, visits in facts.steps.items():
        for step, group in groupby(sorted(visits, key=lambda visit: (visit.step, visit.at)), key=lambda v: v.step):
            for first, again in pairwise(group):
                if not any(began < again.at and first.at < ended for began, ended in facts.troubles):
                    yield f"step {step} of {name} ran again at {again.at:.2f} although nothing was broken"


def _what_was_shown_does_not_run_again(facts: Facts) -> Iterator[str]:
    for event in facts.of(Shown):
        if event.event != "updates":
            continue
        for line in (event.data.get("step") or {}).get("log", []):
            name, _, step = line.partition("=")[0].partition("/")
            if any(visit.step == int(step) and visit.at > event.at for visit in facts.steps.get(name, [])):
                yield f"{line} was shown at {event.at:.2f} and ran again"


def _one_run_at_a_time(facts: Facts) -> Iterator[str]:
    visits: defaultdict[str, list[tuple[str, Stepped]]] = defaultdict(list)
    # A run that is stopped does not wait for what it has sent, and so two calls may overtake each other on their way.
    for visit in sorted(chain(*facts.steps.values()), key=lambda visit: visit.sent):
        run = _executing(facts, visit)
        visits[facts.asked[run].thread_id].append((run, visit))
    for thread_id, of_thread in visits.items():
        blocks = [(name, [visit for _, visit in group]) for name, group in groupby(of_thread, key=lambda each: each[0])]
        names = [name for name, _ in blocks]
        if len(set(names)) < len(names):
            yield f"thread {thread_id}: the steps of its runs are mixed: {names}"
        for (before, first), (after, second) in pairwise(blocks):
            if facts.asked[after].at < facts.asked[before].at and facts.accepted.get(after, 0) < facts.asked[before].at:
                yield f"{after} was accepted before {before} was asked for, and ran after it"
            if before not in facts.stops and _end(facts, first[-1]) > second[0].at:
                yield f"{after} began before {before} had ended"


def _executing(facts: Facts, visit: Stepped) -> str:
    """The run that executes a step: the one that has its input, or the one that answers its question."""
    asks_at = facts.asked[visit.name].asks_at
    if asks_at is not None and visit.step >= asks_at:
        return next(asked.name for asked in facts.asked.values() if asked.answers == visit.name)
    return visit.name


def _end(facts: Facts, visit: Stepped) -> float:
    """When nobody waited for a side effect any more: a server that dies waits for nothing."""
    return min([visit.until, *(crash.at for crash in facts.of(Crashed) if crash.at >= visit.at)])


def _streams_have_no_gap_and_no_repeat(facts: Facts) -> Iterator[str]:
    at_end = {run.name: run for _, run in facts.runs()}
    ended = {(event.name, event.viewer) for event in facts.of(StreamEnded)}
    by_viewer: defaultdict[tuple[str, str], list[Shown]] = defaultdict(list)
    for event in facts.of(Shown):
        by_viewer[event.name, event.viewer].append(event)
    for (name, viewer), shown in by_viewer.items():
        ids = [_position(event.id) for event in shown]
        if ids != sorted(set(ids)):
            yield f"{viewer} saw ids that repeat or go back: {[event.id for event in shown]}"
        run = at_end.get(name)
        if run is None:
            continue
        # `metadata` says which attempt begins; that of an attempt which committed nothing is forgotten with it.
        whole = [each for each in run.stream if each[1] != "metadata"]
        seen = [(event.id, event.event, event.data) for event in shown if event.event != "metadata"]
        if (seen != whole) if (name, viewer) in ended else (seen != whole[: len(seen)]):
            yield f"{viewer} saw {_brief(seen)}, the stream is {_brief(whole)}"


def _brief(stream: Sequence[tuple[str, str, Any]]) -> str:
    return " ".join(f"{event}@{id_}" for id_, event, _ in stream)


def _position(id_: str) -> tuple[int, int]:
    milliseconds, _, number = id_.partition("-")
    return int(milliseconds), int(number or -1)


def _who_listens_hears_everything_once(facts: Facts) -> Iterator[str]:
    heard: defaultdict[str, list[Heard]] = defaultdict(list)
    for event in facts.of(Heard):
        heard[event.name].append(event)
    for name, events in heard.items():
        numbers = [event.seq for event in events]
        if numbers != sorted(set(numbers)):
            yield f"who listened to {name} heard numbers that repeat or go back: {numbers}"
        logs = [event.log for event in events if event.log is not None]
        whole = [[f"{name}/{step}" for step in range(count)] for count in range(facts.asked[name].steps + 1)]
        if logs != (whole if events[-1].is_end else whole[: len(logs)]):
            yield f"who listened to {name} heard {logs}"


def _streams_show_an_undisturbed_run(facts: Facts) -> Iterator[str]:
    for thread, run in facts.runs():
        values = [data.get("log") for _, event, data in run.stream if event == "values" and "__interrupt__" not in data]
        for before, after in pairwise(values):
            if after[:-1] != before:
                yield f"{run.name}: the stream shows {after} after {before}"
        if values and run.log is not None and values[-1] != run.log:
            yield f"{run.name}: the stream ends with {values[-1]}, its result is {run.log}"
        if values and thread.log[: len(values[-1])] != values[-1]:
            yield f"{run.name}: the stream ends with {values[-1]}, which its thread {thread.log} never had"


def _everybody_is_told_the_same(facts: Facts) -> Iterator[str]:
    at_end = {run.name: run for _, run in facts.runs()}
    for told in facts.of(Told):
        run = at_end.get(told.name)
        if run is None:
            continue
        if told.status is not None and told.status != run.status:
            yield f"{told.name} was {told.status} by {told.source}, and is {run.status} in the end"
        if told.log is not None and run.status != "error" and told.log != run.log:
            yield f"{told.name}: {told.source} said {told.log}, join says {run.log} in the end"


def _lives_are_told_whole(facts: Facts) -> Iterator[str]:
    for _, run in facts.runs():
        attempts = [attempt for event, attempt in run.life if event in ("started", "resumed")]
        ends = [event for event, _ in run.life].count("ended")
        if attempts != list(range(1, len(attempts) + 1)) or ends != 1 or run.life[-1][0] != "ended":
            yield f"{run.name} ({run.status}) has the history {run.life}"


def _webhooks_are_delivered(facts: Facts) -> Iterator[str]:
    told: defaultdict[str, set[str]] = defaultdict(set)
    for call in facts.history.webhooks:
        told[call.name].add(call.status)
    for _, run in facts.runs():
        if facts.asked[run.name].calls and told[run.name] != {run.status}:
            yield f"{run.name} is {run.status}, its receiver heard {sorted(told[run.name]) or 'nothing'}"


def _crons_fire_once(facts: Facts) -> Iterator[str]:
    for cron in facts.history.crons:
        times = [at for at, _ in cron.runs]
        if not times or times != cron.fires:
            yield f"cron {cron.cron_id} has runs for {times}, and notes of {cron.fires}"
        for before, after in pairwise(times):
            if datetime.fromisoformat(after) - datetime.fromisoformat(before) != timedelta(seconds=cron.seconds):
                yield f"cron {cron.cron_id}, due every {cron.seconds} s, ran for {before} and then for {after}"
        for at, status in cron.runs:
            if status != "success":
                yield f"the run of cron {cron.cron_id} for {at} is {status}"


#: What is promised, and the rule that finds where it was not kept.
PROMISES: Final[dict[str, Callable[[Facts], Iterator[str]]]] = {
    "every accepted run ends": _accepted_runs_end,
    "clients get answers that they can work with": _nobody_is_surprised,
    "nothing is stuck or left behind": _threads_rest,
    "super-steps are committed once and in order": _super_steps_are_committed_once_and_in_order,
    "checkpoints are contiguous": _checkpoints_are_contiguous,
    "side effects are made at least once": _side_effects_are_made,
    "a step runs again only after trouble": _steps_run_again_only_after_trouble,
    "what was shown does not run again": _what_was_shown_does_not_run_again,
    "one run at a time, in order": _one_run_at_a_time,
    "streams have no gap and no repeat": _streams_have_no_gap_and_no_repeat,
    "who listens hears everything once": _who_listens_hears_everything_once,
    "streams show an undisturbed run": _streams_show_an_undisturbed_run,
    "everybody is told the same": _everybody_is_told_the_same,
    "a run's history has all of its attempts": _lives_are_told_whole,
    "webhooks are delivered at least once": _webhooks_are_delivered,
    "crons fire exactly once": _crons_fire_once,
}
