"""Composes JSON objects from the JSON texts in rows, without decoding and encoding them again."""

from collections.abc import Iterable, Mapping


def join_object(fields: Mapping[str, str]) -> str:
    """An object of these fields: names that need no escaping, and the JSON texts of their values."""
    return "{" + ",".join(f'"{name}":{text}' for name, text in fields.items()) + "}"


def join_array(texts: Iterable[str]) -> str:
    """An array of these JSON texts."""
    return "[" + ",".join(texts) + "]"
