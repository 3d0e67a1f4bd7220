"""The differences between two recordings of one script.

Each server makes its own ids. Two ids are equal if they always occur at the same places: when two ids first meet they
become partners, and neither may have another partner afterwards. Keys have no order, so among ids that are keys, those
with equal values meet.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final, TypeAlias

from tools.differential.normal_form import NormalExchange

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID: Final = re.compile(rf"{_UUID}|\b[0-9a-f]{{32}}\b")

#: A place, the value of the reference server there, and that of Superstep.
Unequal: TypeAlias = Iterator[tuple[str, Any, Any]]

#: Stands for a value that one side does not have.
MISSING: Final = "(nothing)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where Superstep's answer differs."""

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
    """All differences, exchange by exchange, up to where the script itself took another path."""
    comparison = _Comparison()
    for theirs, ours in zip_longest(reference, superstep):
        if theirs is None or ours is None:
            [missed] = (side for side in (theirs, ours) if side)
            sides = (MISSING if side is None else side.request for side in (theirs, ours))
            yield _difference(script, missed.operation, "request", *sides)
            return
        for at, left, right in comparison.of_exchanges(theirs, ours):
            yield _difference(script, ours.operation, at, left, right)
            if at == "request":
                return


def _difference(script: str, operation: str, at: str, reference: Any, superstep: Any) -> Difference:
    left, right = (_anonymous(value) for value in (reference, superstep))
    return Difference(script=script, operation=operation, at=_anonymous(at), reference=left, superstep=right)


def _anonymous(value: Any) -> Any:
    """A value without its ids, so that the same difference looks the same everywhere."""
    match value:
        case str():
            return _ID.sub("<id>", value)
        case dict():
            return {_anonymous(key): _anonymous(item) for key, item in value.items()}
        case list():
            return [_anonymous(item) for item in value]
        case _:
            return value


class _Comparison:
    """Of two recordings: which ids are partners."""

    def __init__(self) -> None:
        #: The partners of the reference server's ids, and of Superstep's.
        self._partners: tuple[dict[str, str], dict[str, str]] = ({}, {})

    def _copy(self) -> "_Comparison":
        """A copy for a trial, whose partners are forgotten with it."""
        copy = _Comparison()
        theirs, ours = self._partners
        copy._partners = (dict(theirs), dict(ours))
        return copy

    def of_exchanges(self, reference: NormalExchange, superstep: NormalExchange) -> Unequal:
        """All differences of two exchanges."""
        yield from self._of_values(reference.request, superstep.request, "request")
        if reference.status != superstep.status:
            yield "status", reference.status, superstep.status
        else:
            yield from self._of_values(reference.body, superstep.body, "body")
            yield from self._of_values(reference.headers, superstep.headers, "headers")

    def _of_values(self, reference: Any, superstep: Any, at: str) -> Unequal:
        match reference, superstep:
            case dict(), dict():
                yield from self._of_objects(reference, superstep, at)
            case [{"event": _}, *_], [{"event": _}, *_]:
                yield from self._of_streams(reference, superstep, at)
            case list(), list():
                if len(reference) != len(superstep):
                    yield f"{at}.length", len(reference), len(superstep)
                for left, right in zip(reference, superstep, strict=False):
                    yield from self._of_values(left, right, f"{at}.*")
            case str(), str():
                if not self._are_equal(reference, superstep):
                    yield at, reference, superstep
            case _ if type(reference) is not type(superstep) or reference != superstep:
                yield at, reference, superstep
            case _:
                pass

    def _of_objects(self, reference: Mapping[str, Any], superstep: Mapping[str, Any], at: str) -> Unequal:
        rest = dict(superstep)
        for key in sorted(reference, key=lambda key: bool(_ID.search(key))):
            partner = self._partner(key, reference[key], rest)
            if partner is None or not self._are_equal(key, partner):
                yield f"{at}.{key}", reference[key], MISSING
            else:
                yield from self._of_values(reference[key], rest.pop(partner), f"{at}.{key}")
        for key, value in rest.items():
            yield f"{at}.{key}", MISSING, value

    def _partner(self, key: str, value: Any, others: Mapping[str, Any]) -> str | None:
        """The key with an equal value, or else the first whose value may be equal: the order of ids is random."""
        if not _ID.search(key):
            return key if key in others else None
        trials = [(other, self._copy()) for other in others]
        possible = [(other, trial) for other, trial in trials if trial._are_equal(key, other)]
        same = (other for other, trial in possible if not any(trial._of_values(value, others[other], "")))
        return next(same, next((other for other, _ in possible), None))

    def _of_streams(self, reference: Sequence[Any], superstep: Sequence[Any], at: str) -> Unequal:
        """A different order of events, and the differences between each event and its counterpart."""
        theirs, ours = ([frame["event"] for frame in frames] for frames in (reference, superstep))
        if any(True for _ in self._of_values(theirs, ours, at)):
            yield f"{at}.events", theirs, ours
        left, right = _by_mode(reference), _by_mode(superstep)
        for mode in left:
            for one, other in zip(left[mode], right.get(mode, []), strict=False):
                yield from self._of_values(one, other, f"{at}.{mode}")

    def _are_equal(self, reference: str, superstep: str) -> bool:
        if _ID.sub("", reference) != _ID.sub("", superstep):
            return False
        pairs = zip(_ID.findall(reference), _ID.findall(superstep), strict=True)
        return all(self._are_partners(one, other) for one, other in pairs)

    def _are_partners(self, reference: str, superstep: str) -> bool:
        theirs, ours = self._partners
        if reference not in theirs and superstep not in ours:
            theirs[reference], ours[superstep] = superstep, reference
        return theirs.get(reference) == superstep


def _by_mode(frames: Sequence[Any]) -> dict[str, list[Any]]:
    found = defaultdict[str, list[Any]](list)
    for frame in frames:
        found[frame["event"].partition("|")[0]].append(frame)
    return found
