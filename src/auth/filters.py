"""Turns what an `on` handler returns into the rows that the caller may read and write."""

from collections.abc import Mapping
from typing import Any, cast

from errors import AccessRefused
from tables.access import EVERYTHING, Access


def access(result: Any) -> Access:
    """The rows that a handler's result allows. Raises AccessRefused for `False`, TypeError for an invalid result."""
    if result is None or result is True:
        return EVERYTHING
    if result is False:
        raise AccessRefused(403, "Forbidden")
    if not isinstance(result, Mapping):
        raise TypeError(f"an authorization handler must return None, a bool or a filter, not {type(result).__name__}")
    equals: dict[str, Any] = {}
    contains: dict[str, tuple[Any, ...]] = {}
    for key, wanted in cast(Mapping[str, Any], result).items():
        match wanted:
            case {"$eq": value, **others} if not others:
                equals[key] = value
            case {"$contains": [*values], **others} if not others:
                contains[key] = tuple(values)
            case {"$contains": value, **others} if not others:
                contains[key] = (value,)
            case dict():
                raise TypeError(f"the filter on {key!r} must be a value, {{'$eq': …}} or {{'$contains': …}}")
            case _:
                equals[key] = wanted
    return Access(equals, contains)
