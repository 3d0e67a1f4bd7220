"""Pages of a search: one row more than requested shows whether there is another page."""

from collections.abc import Sequence
from typing import Final

DEFAULT_LIMIT: Final = 10


def headers(found: Sequence[object], *, limit: int, offset: int) -> dict[str, str]:
    """The pagination headers, from up to `limit` + 1 rows that were found."""
    total = {"x-pagination-total": str(offset + len(found))}
    return total | {"x-pagination-next": str(offset + limit)} if len(found) > limit else total
