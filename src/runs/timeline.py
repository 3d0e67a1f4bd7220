"""The timeline of a run, composed from its row, its checkpoints and its webhooks."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import clock
from ports import Row
from runs import lifecycle, run_lines
from tables import run_history
from tables.runs import Run
from wire.bodies import JsonObject
from wire.timeline import TimelineEvent, TimelineObject

#: The order of events in the same millisecond: before the checkpoints of their attempt (0), among them (1), or after.
_RANKS: Final = {"input": 1, "superstep": 1, "handed_over": 2, "interrupted": 3, "failed": 3, "ended": 4, "redriven": 5}


def of(
    run: Run,
    checkpoints: Sequence[Row],
    tasks: Iterable[Row],
    webhooks: Iterable[Row],
    *,
    after: str | None,
    limit: int,
) -> TimelineObject:
    """A page: up to `limit` checkpoints after the one named `after`, and the events around them.

    `checkpoints` and `tasks` come from `run_checkpoints.select_page`, beginning with that checkpoint. If there is one
    more than is shown, there is another page.
    """
    did: dict[str, list[Row]] = defaultdict(list)
    for row in tasks:
        did[row["checkpoint_id"]].append(row)
    most = limit + 1 if checkpoints and checkpoints[0]["checkpoint_id"] == after else limit
    last = checkpoints[most - 1]["checkpoint_id"] if len(checkpoints) > most else None
    checkpoints = checkpoints[:most]
    events = [*_of_row(run), *_of_webhooks(webhooks), *_of_checkpoints(run, checkpoints, did)]
    if checkpoints and last is None and lifecycle.is_finished(run.status):
        events += _left_undone(run, did[checkpoints[-1]["checkpoint_id"]])
    shown = list(_timed(events))
    return TimelineObject(
        thread_id=run.thread_id,
        run_id=run.run_id,
        assistant_id=run.assistant_id,
        graph_id=run.graph_id,
        status=run.status,
        attempt=run.attempt,
        created_at=run.created_at,
        started_at=run.started_at,
        ended_at=run.updated_at if lifecycle.is_finished(run.status) else None,
        events=shown[_behind(after, shown) if after else 0 : _behind(last, shown) if last else None],
        next=last,
    )


def _timed(events: Iterable[TimelineEvent]) -> Iterator[TimelineEvent]:
    """The events in order, each with the seconds since the previous one."""
    before: str | None = None
    for event in sorted(events, key=_place):
        yield event.model_copy(update={"seconds": clock.seconds_between(before or event.at, event.at)})
        before = event.at


def _place(event: TimelineEvent) -> tuple[str, bool, int, int, str]:
    """The sort key of events. Below the millisecond, the times of a row are random (see `clock.moment`)."""
    is_webhook = event.delivery_id is not None
    return event.at[:23], is_webhook, event.attempt or 0, _RANKS.get(event.event, 0), event.checkpoint_id or ""


def _behind(checkpoint_id: str, events: Sequence[TimelineEvent]) -> int:
    """The position of the first event after a checkpoint."""
    places = (place for place, event in enumerate(events, 1) if event.checkpoint_id == checkpoint_id)
    return next(places, 0)


def _of_row(run: Run) -> Iterator[TimelineEvent]:
    configurable, entries = run.arguments["config"]["configurable"], run_history.parse(run.history)
    known = {entry.event for entry in entries}
    yield _event(
        run.created_at,
        "accepted",
        user_id=configurable.get("langgraph_auth_user_id"),
        request_id=configurable.get("langgraph_request_id"),
        trace_id=run_lines.trace_of(run).trace_id,
        multitask_strategy=run.multitask_strategy,
    )
    if run.due_at:
        yield _event(run.due_at, "due")
    # Older releases kept no history.
    if run.started_at and "started" not in known:
        yield _event(run.started_at, "started", attempt=1)
    ended: JsonObject = {"status": run.status, "attempt": run.attempt, "error": json.loads(run.error or "null")}
    if lifecycle.is_finished(run.status) and "ended" not in known:
        yield _event(run.updated_at, "ended", **ended)
    for number, entry in enumerate(entries, 1):
        is_end = number == len(entries) and entry.event == "ended"
        yield _event(**asdict(entry) | (ended if is_end else {}))


def _of_webhooks(rows: Iterable[Row]) -> Iterator[TimelineEvent]:
    for row in rows:
        for attempt in json.loads(row["history"]):
            told = {"response_status": attempt.get("status"), "problem": attempt.get("problem")}
            yield _event(attempt["at"], "webhook_sent", delivery_id=row["delivery_id"], **told)
        if row["due_at"]:
            yield _event(row["due_at"], "webhook_due", delivery_id=row["delivery_id"])


def _of_checkpoints(run: Run, rows: Iterable[Row], did: Mapping[str, Sequence[Row]]) -> Iterator[TimelineEvent]:
    # A redriven run has checkpoints from before it was started anew.
    at = run_history.first_start(run_history.parse(run.history)) or run.started_at or run.created_at
    for row in rows:
        # Ids decide the order, even if the clocks of several machines disagree.
        at = max(at, row["at"] or at)
        yield _event(
            at,
            "input" if row["source"] == "input" else "superstep",
            attempt=row["attempt"],
            checkpoint_id=row["checkpoint_id"],
            step=row["step"],
            **_whose(did.get(row["parent_checkpoint_id"], ()), "tasks"),
        )


def _left_undone(run: Run, did: Sequence[Row]) -> Iterator[TimelineEvent]:
    """The tasks of the super-step in which the run ended, if they were interrupted or failed."""
    for event in ("interrupted", "failed"):
        if whose := _whose(did, event):
            yield _event(run.updated_at, event, attempt=run.attempt, **whose)


def _whose(did: Sequence[Row], what: str) -> JsonObject:
    """The nodes of the tasks to which `what` happened, and the number of those tasks."""
    rows = [row for row in did if row[what]]
    nodes = [row["node"] for row in rows if row["node"]]
    return {"nodes": nodes, "tasks": sum(row[what] for row in rows)} if rows else {}


def _event(at: str, event: str, **fields: Any) -> TimelineEvent:
    return TimelineEvent.model_validate({**fields, "at": at, "event": event, "seconds": 0})
