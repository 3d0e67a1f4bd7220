"""Which traces are recorded, according to OpenTelemetry's variables.

The decision follows from the trace id, so every attempt of a run decides alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SAMPLER: Final = "OTEL_TRACES_SAMPLER"
RATIO: Final = "OTEL_TRACES_SAMPLER_ARG"

_PARENT_BASED: Final = "parentbased_"
_RATIOS: Final[Mapping[str, float | None]] = {"always_on": 1.0, "always_off": 0.0, "traceidratio": None}

#: The random part of a trace id (W3C Trace Context level 2), as a number of digits and of values.
_RANDOM_DIGITS: Final = 14
_RANDOM: Final = 16**_RANDOM_DIGITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """The share of traces that is recorded."""

    ratio: float = 1.0
    #: Whether that share applies only to traces that begin here, while callers decide about theirs.
    heeds_callers: bool = True

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> "Sampling":
        """The configured sampling. ValueError names the invalid variable."""
        name = env.get(SAMPLER) or "parentbased_always_on"
        if name.removeprefix(_PARENT_BASED) not in _RATIOS:
            known = ", ".join((*_RATIOS, *(_PARENT_BASED + each for each in _RATIOS)))
            raise ValueError(f"{SAMPLER} must be one of {known}, not {name!r}")
        ratio = _RATIOS[name.removeprefix(_PARENT_BASED)]
        heeds_callers = name.startswith(_PARENT_BASED)
        return cls(ratio=_ratio(env.get(RATIO) or "1") if ratio is None else ratio, heeds_callers=heeds_callers)

    def records(self, trace_id: str, *, caller_records: bool | None) -> bool:
        """Whether a trace is recorded; `caller_records` is None for a trace that begins here."""
        if self.heeds_callers and caller_records is not None:
            return caller_records
        return int(trace_id[-_RANDOM_DIGITS:], 16) < self.ratio * _RANDOM


def _ratio(text: str) -> float:
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise ValueError(f"{RATIO} must be a number from 0 to 1, not {text!r}")
    return ratio
