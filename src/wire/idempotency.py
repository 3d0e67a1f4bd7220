"""The syntax of idempotency keys, which requests carry in a header or in their body."""

import re
from typing import Final

MAX_KEY_CHARS: Final = 255
_KEY: Final = re.compile(f"[\x20-\x7e]{{1,{MAX_KEY_CHARS}}}")


def parse_key(given: object) -> str:
    """The key without surrounding white space. Raises ValueError that says what a key must be."""
    key = given.strip() if isinstance(given, str) else ""
    if not _KEY.fullmatch(key):
        raise ValueError(f"must be 1 to {MAX_KEY_CHARS} printable ASCII characters, such as a UUID")
    return key
