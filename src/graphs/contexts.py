"""The part of a caller's context that a graph gets."""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel


def context_for(schema: Any, given: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """A caller's context without keys that are unknown to the graph's context schema.

    A graph with a schema always gets a context, so that the schema's defaults apply and its required fields are
    checked.
    """
    fields = _fields(schema)
    if fields is None:
        return given or None
    return {key: value for key, value in (given or {}).items() if key in fields}


def context_object(schema: Any, given: Mapping[str, Any] | None) -> Any:
    """The context as the object that a node finds in `runtime.context`."""
    context = context_for(schema, given)
    is_class = isinstance(schema, type) and (dataclasses.is_dataclass(schema) or issubclass(schema, BaseModel))
    return schema(**(context or {})) if is_class else context


def _fields(schema: Any) -> set[str] | None:
    if not isinstance(schema, type):
        return None
    if issubclass(schema, BaseModel):
        return set(schema.model_fields)
    if dataclasses.is_dataclass(schema):
        return {field.name for field in dataclasses.fields(cast(Any, schema))}
    return set(getattr(schema, "__annotations__", {})) or None
