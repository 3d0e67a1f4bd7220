"""JSON text as Superstep stores and sends it: compact, UTF-8 unescaped, finite."""

import json
from typing import Any

from errors import Unprocessable

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def compact_json(value: Any) -> str:
    """Encode what came from a JSON body; Unprocessable for a number that JSON cannot spell (1e999)."""
    try:
        return _encode(value)
    except ValueError as error:
        raise Unprocessable("Invalid JSON in request body: a number is out of range") from error
