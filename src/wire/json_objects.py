"""JSON objects put together from the JSON texts that rows hold, so that nothing is decoded only to be encoded again."""

from collections.abc import Iterable, Mapping


def join_object(fields: Mapping[str, str]) -> str:
    """An object from field names (plain ones) and the JSON texts of their values."""
    return "{" + ",".join(f'"{name}":{text}' for name, text in fields.items()) + "}"


def join_array(texts: Iterable[str]) -> str:
    """An array of JSON texts."""
    return "[" + ",".join(texts) + "]"
