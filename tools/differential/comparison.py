"""Where two recordings of one script differ."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from tools.differential.normal_form import NormalExchange

#: In place of a value that one side does not have.
MISSING: Final = "(nothing)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where Superstep answers something else."""

    #: The script's area and name: `threads.copy`.
    script: str
    #: Method and path template.
    operation: str
    #: Dotted path into the exchange; `*` stands for the elements of a list: `body.*.status`.
    at: str
    reference: Any
    superstep: Any


def differences(
    script: str, reference: Sequence[NormalExchange], superstep: Sequence[NormalExchange]
) -> Iterator[Difference]:
    """All differences, exchange by exchange, up to where the script itself went another way."""
    for theirs, ours in zip_longest(reference, superstep):
        if theirs is None or ours is None or theirs.request != ours.request:
            sides = [side for side in (theirs, ours) if side]
            left, right = (side.request if side else MISSING for side in (theirs, ours))
            yield Difference(script=script, operation=sides[0].operation, at="request", reference=left, superstep=right)
            return
        for at, left, right in _of_answers(theirs, ours):
            yield Difference(script=script, operation=ours.operation, at=at, reference=left, superstep=right)


def _of_answers(reference: NormalExchange, superstep: NormalExchange) -> Iterator[tuple[str, Any, Any]]:
    if reference.status != superstep.status:
        yield "status", reference.status, superstep.status
    else:
        yield from _unequal(reference.headers, superstep.headers, "headers")
        yield from _unequal(reference.body, superstep.body, "body")


def _unequal(reference: Any, superstep: Any, at: str) -> Iterator[tuple[str, Any, Any]]:
    match reference, superstep:
        case dict(), dict():
            yield from _unequal_objects(reference, superstep, at)
        case [{"event": _}, *_], [{"event": _}, *_]:
            yield from _unequal_streams(reference, superstep, at)
        case list(), list():
            if len(reference) != len(superstep):
                yield f"{at}.length", len(reference), len(superstep)
            for left, right in zip(reference, superstep, strict=False):
                yield from _unequal(left, right, f"{at}.*")
        case _ if type(reference) is not type(superstep) or reference != superstep:
            yield at, reference, superstep
        case _:
            pass


def _unequal_objects(
    reference: Mapping[str, Any], superstep: Mapping[str, Any], at: str
) -> Iterator[tuple[str, Any, Any]]:
    for key in sorted(reference.keys() | superstep.keys()):
        if key in reference and key in superstep:
            yield from _unequal(reference[key], superstep[key], f"{at}.{key}")
        else:
            yield f"{at}.{key}", reference.get(key, MISSING), superstep.get(key, MISSING)


def _unequal_streams(reference: Sequence[Any], superstep: Sequence[Any], at: str) -> Iterator[tuple[str, Any, Any]]:
    """Events in another order, and each event of a name with its counterpart."""
    orders = [[frame["event"] for frame in frames] for frames in (reference, superstep)]
    if orders[0] != orders[1]:
        yield f"{at}.events", orders[0], orders[1]
    left, right = _by_event(reference), _by_event(superstep)
    for event in left.keys() & right.keys():
        for one, other in zip(left[event], right[event], strict=False):
            yield from _unequal(one, other, f"{at}.{event.partition('|')[0]}")


def _by_event(frames: Sequence[Any]) -> dict[str, list[Any]]:
    found = defaultdict[str, list[Any]](list)
    for frame in frames:
        found[frame["event"]].append(frame)
    return found
