"""What an idempotency key may be, wherever a request carries it."""

import re
from typing import Final

MAX_KEY_CHARS: Final = 255
_KEY: Final = re.compile(f"[\x20-\x7e]{{1,{MAX_KEY_CHARS}}}")


def parse_key(given: object) -> str:
    """A key as it counts: white space around it does not. Raises ValueError with what it must be."""
    key = given.strip() if isinstance(given, str) else ""
    if not _KEY.fullmatch(key):
        raise ValueError(f"must be 1 to {MAX_KEY_CHARS} printable ASCII characters, such as a UUID")
    return key
