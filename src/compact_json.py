"""JSON text as Superstep stores and sends it: compact, UTF-8 unescaped, finite."""

import json
from typing import Any, Final

from errors import Unprocessable

_COMPACT: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_SORTED: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, sort_keys=True)


def compact_json(value: Any) -> str:
    """Encode what came from a JSON body; Unprocessable if that is impossible."""
    return _encoded(_COMPACT, value)


def sorted_json(value: Any) -> str:
    """Encode with sorted members, so that equal values have the same text."""
    return _encoded(_SORTED, value)


def _encoded(encoder: json.JSONEncoder, value: Any) -> str:
    try:
        return encoder.encode(value)
    except ValueError as error:  # 1e999
        raise Unprocessable("Invalid JSON in request body: a number is out of range") from error
    except RecursionError as error:
        raise Unprocessable("Invalid JSON in request body: it is nested too deeply") from error
