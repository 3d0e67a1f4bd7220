"""The timeline of a run as a picture: a bar for each event, from the previous one; colours distinguish attempts.

The page needs no other resource and runs no script. All text that a user chose is escaped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, Final, cast

import clock
from wire.timeline import TimelineObject

HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
}

_STYLE: Final = """
:root { color-scheme: light dark }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; font: 14px/1.5 system-ui, sans-serif }
h1 { font-size: 1.3rem; margin: 0 } h1 small, .details { color: #888; font-weight: normal }
.status { padding: .1rem .5rem; border-radius: 1rem; color: white; background: #6b7280 }
.status.success { background: #15803d } .status.error, .status.timeout { background: #b91c1c }
.status.running { background: #1d4ed8 } .status.interrupted { background: #b45309 }
table { width: 100%; border-collapse: collapse; margin: 1rem 0 }
td { padding: .2rem .6rem; border-top: 1px solid #8884; vertical-align: top }
td.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
td.details { overflow-wrap: anywhere }
td.bar { width: 45%; min-width: 10rem }
td.bar i { display: block; height: .9rem; margin-top: .2rem; min-width: 3px; border-radius: 3px }
.waiting i, .afterwards i { background: #9ca3af99 !important }
.gap i { background: repeating-linear-gradient(135deg, #dc2626 0 5px, transparent 5px 9px) !important }
.failed i { background: #dc2626 !important }
"""

#: The kind of the time before an event, if it is not a super-step's.
_CLASSES: Final = {
    **dict.fromkeys(("due", "started", "redriven"), "waiting"),
    **dict.fromkeys(("webhook_sent", "webhook_due"), "afterwards"),
    "resumed": "gap",
    "failed": "failed",
}

#: Fields that are not among the details of an event.
_ELSEWHERE: Final = {"at", "event", "seconds", "step", "checkpoint_id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """One bar of the picture; seconds are from the run's creation."""

    label: str
    kind: str
    attempt: int
    title: str
    start: float
    end: float
    details: str


def page(timeline: TimelineObject, *, now: str) -> str:
    """The page; an unfinished run has a last bar up to now."""
    bars = [*_bars(timeline), *_present(timeline, now)]
    first = min((bar.start for bar in bars), default=0)
    # Webhooks may be tried for a day. Whatever follows the run would leave it no room.
    span = max((bar.end for bar in bars if bar.kind != "afterwards"), default=first) - first
    run_id, more = escape(timeline.run_id), ""
    if timeline.next:
        more = f'<p><a href="?format=html&amp;after={escape(timeline.next)}">Later</a>'
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Run {run_id}</title><style>{_STYLE}</style>'
        f"<h1>{escape(timeline.graph_id)} <small>run {run_id}</small></h1>"
        f'<p><span class="status {timeline.status}">{timeline.status}</span> attempt {timeline.attempt}, '
        f"accepted {escape(timeline.created_at)} on thread {escape(timeline.thread_id)}"
        f"<table>{''.join(_row(bar, first, span or 1) for bar in bars)}</table>{more}</html>"
    )


def _bars(timeline: TimelineObject) -> Iterator[_Bar]:
    attempt = 1
    for event in timeline.events:
        attempt = event.attempt or attempt
        end = clock.seconds_between(timeline.created_at, event.at)
        said: dict[str, Any] = event.model_dump(exclude_none=True, exclude=_ELSEWHERE)
        yield _Bar(
            label=event.event if event.step is None else f"{event.event} {event.step}",
            kind=_CLASSES.get(event.event, ""),
            attempt=attempt,
            title=f"{event.at} {event.checkpoint_id or ''}",
            start=end - event.seconds,
            end=end,
            details=", ".join(f"{name} {_text(value)}" for name, value in said.items()),
        )


def _present(timeline: TimelineObject, now: str) -> Iterator[_Bar]:
    if timeline.ended_at is None and timeline.next is None and timeline.events:
        start = clock.seconds_between(timeline.created_at, timeline.events[-1].at)
        end = max(start, clock.seconds_between(timeline.created_at, now))
        kind = "waiting" if timeline.status == "pending" else ""
        yield _Bar(label="now", kind=kind, attempt=timeline.attempt, title=now, start=start, end=end, details="")


def _row(bar: _Bar, first: float, span: float) -> str:
    colour = f"hsl({(140 + 75 * bar.attempt) % 360}, 60%, 52%)"
    left, right = (min(100, (seconds - first) / span * 100) for seconds in (bar.start, bar.end))
    return (
        f'<tr class="{bar.kind}" title="{escape(bar.title)}"><td>{bar.label}'
        f'<td class="number">{bar.end:.3f} s<td class="number">{bar.end - bar.start:.3f} s'
        f'<td class="bar"><i style="margin-left:{left:.2f}%;width:{right - left:.2f}%;background:{colour}"></i>'
        f'<td class="details">{escape(bar.details)}'
    )


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ": ".join(map(str, cast(dict[str, Any], value).values()))
    return ", ".join(map(str, cast(list[Any], value))) if isinstance(value, list) else str(value)
