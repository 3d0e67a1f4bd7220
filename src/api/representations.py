"""Rows as the JSON that callers read, composed from the JSON texts in the rows."""

from collections.abc import Container
from typing import Any, Final

from compact_json import compact_json
from tables.assistant_versions import AssistantVersion
from tables.assistants import Assistant
from tables.cron_fires import Fire
from tables.crons import Cron
from tables.threads import Thread
from wire.assistants import AssistantObject, AssistantVersionObject
from wire.crons import CronFireObject, CronObject
from wire.json_objects import join_object
from wire.threads import ThreadObject

_CRON_SCALARS: Final = (
    "cron_id",
    "assistant_id",
    "thread_id",
    "user_id",
    "end_time",
    "schedule",
    "timezone",
    "next_run_date",
    "on_run_completed",
    "on_missed",
    "created_at",
    "updated_at",
)
_THREAD_STRINGS: Final = ("thread_id", "created_at", "updated_at", "state_updated_at", "status")
_ASSISTANT_SCALARS: Final = ("assistant_id", "graph_id", "name", "created_at", "updated_at", "version", "description")
_VERSION_SCALARS: Final = ("assistant_id", "version", "graph_id", "created_at", "name", "description")


def thread_text(thread: Thread, select: Container[str] | None = None, **more: Any) -> str:
    """A thread, or only its selected columns, and the fields in `more`."""
    fields = {name: compact_json(getattr(thread, name)) for name in _THREAD_STRINGS}
    fields |= {
        "metadata": thread.metadata,
        "config": thread.config,
        "values": thread.values_json or "null",
        "error": thread.error or "null",
        "interrupts": thread.interrupts,
    }
    columns = (name for name in ThreadObject.model_fields if name in fields)
    shown = {name: fields[name] for name in columns if not select or name in select}
    return join_object(shown | {name: compact_json(value) for name, value in more.items()})


def assistant_text(assistant: Assistant, select: Container[str] | None = None) -> str:
    """An assistant, or only its selected columns."""
    fields = {name: compact_json(getattr(assistant, name)) for name in _ASSISTANT_SCALARS}
    fields |= {"config": assistant.config, "context": assistant.context, "metadata": assistant.metadata}
    return join_object({name: fields[name] for name in AssistantObject.model_fields if not select or name in select})


def assistant_version_text(version: AssistantVersion) -> str:
    """One version of an assistant."""
    fields = {name: compact_json(getattr(version, name)) for name in _VERSION_SCALARS}
    fields |= {"config": version.config, "context": version.context, "metadata": version.metadata}
    return join_object({name: fields[name] for name in AssistantVersionObject.model_fields})


def cron_text(cron: Cron, select: Container[str] | None = None) -> str:
    """A cron, or only its selected columns."""
    fields = {name: compact_json(getattr(cron, name)) for name in _CRON_SCALARS}
    fields |= {"payload": cron.payload, "metadata": cron.metadata, "enabled": "true" if cron.enabled else "false"}
    return join_object({name: fields[name] for name in CronObject.model_fields if not select or name in select})


def cron_fire_text(fire: Fire) -> str:
    """The outcome of a cron's time."""
    outcome = "created" if fire.run_id else "skipped"
    return compact_json(
        {name: outcome if name == "outcome" else getattr(fire, name) for name in CronFireObject.model_fields}
    )
