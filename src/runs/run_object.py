"""A run as callers read it, composed of the JSON texts in its row."""

from collections.abc import Container
from typing import Final

from compact_json import compact_json
from tables.runs import Run
from wire.json_objects import join_object
from wire.runs import RunObject

_STRINGS: Final = (
    "run_id",
    "thread_id",
    "assistant_id",
    "status",
    "multitask_strategy",
    "created_at",
    "updated_at",
)


def run_fields(run: Run) -> dict[str, str]:
    """The JSON text of each field, in the order callers see them."""
    fields = {name: compact_json(getattr(run, name)) for name in _STRINGS}
    fields |= {"metadata": run.metadata, "kwargs": run.kwargs, "langsmith_session_name": "null"}
    return {name: fields[name] for name in RunObject.model_fields}


def run_text(run: Run, select: Container[str] | None = None) -> str:
    """A run as JSON text, or only the selected columns of it."""
    return join_object({name: text for name, text in run_fields(run).items() if not select or name in select})
