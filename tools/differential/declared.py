"""The differences from `langgraph dev` that are meant, each with its reason; `docs/differences.md` is made of it."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Literal

from tools import paths
from tools.differential.comparison import MISSING, Difference

DOCUMENT: Final = paths.ROOT / "docs" / "differences.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """Differences that have one reason."""

    #: Patterns over `METHOD /path/template` and over the place in the exchange; `*` is anything.
    operations: tuple[str, ...]
    at: tuple[str, ...]
    #: What either server does, and why Superstep does it otherwise; sentences for the document.
    reference: str
    superstep: str
    reason: str

    #: Patterns over `area.script`, for what would be a mistake elsewhere.
    scripts: tuple[str, ...] = ("*",)
    #: The server that has nothing at the place; None when both have something, or when it does not matter.
    lacking: Literal["reference", "superstep"] | None = None

    def covers(self, difference: Difference) -> bool:
        """Whether this is one of those."""
        return (
            any(fnmatchcase(difference.operation, pattern) for pattern in self.operations)
            and any(fnmatchcase(difference.at, pattern) for pattern in self.at)
            and any(fnmatchcase(difference.script, pattern) for pattern in self.scripts)
            and (self.lacking is None or getattr(difference, self.lacking) == MISSING)
        )


DECLARED: Final = (
    Declared(
        operations=("POST /threads/{thread_id}/runs", "POST /runs"),
        at=("status",),
        reference="answers 200",
        superstep="answers 202, and 200 to JavaScript callers",
        reason="The run has only been accepted. JavaScript's SDK throws the body of a 202 away, so it gets 200.",
    ),
    Declared(
        operations=("* /threads/{thread_id}/runs*", "POST /runs/stream"),
        at=("body.*.id",),
        lacking="reference",
        reference="sends `id:` only when the run is `stream_resumable`",
        superstep="sends `id:` with every event",
        reason="Every stream can be resumed.",
    ),
    Declared(
        operations=("GET /threads/{thread_id}/runs/{run_id}/stream",),
        at=("body.length", "body.events"),
        reference="replays only runs that are `stream_resumable`, and leaves their `error` event out",
        superstep="replays every run, and all of it",
        reason="Every stream can be resumed; whoever resumes has to learn how it ended.",
    ),
    Declared(
        operations=("* /threads*",),
        at=("body.error", "body.interrupts", "body.*.error", "body.*.interrupts"),
        lacking="reference",
        reference="leaves `error` and `interrupts` out of a thread that never ran",
        superstep="always has them, empty",
        reason="One shape for every thread, the one that the SDKs' types promise.",
    ),
    Declared(
        operations=("GET /threads/{thread_id}/runs", "GET /threads/{thread_id}/runs/{run_id}"),
        at=("body*.kwargs.config.metadata.*", "body*.kwargs.config.configurable.__pregel_node_finished"),
        lacking="superstep",
        reference="rewrites a run's `kwargs` when it starts: host, attempt, internals",
        superstep="keeps what was accepted",
        reason="Rows written are what a run costs; checkpoints and messages carry the same metadata.",
    ),
    Declared(
        operations=("* /threads/{thread_id}/*",),
        at=("body*.metadata.langgraph_api_url", "body.messages*.langgraph_api_url"),
        lacking="superstep",
        reference="names its own address in the metadata of checkpoints, tasks and messages",
        superstep="does not",
        reason="A Worker has as many addresses as routes lead to it, and a background run has none.",
    ),
    Declared(
        operations=("* /threads/{thread_id}/*",),
        at=(
            "body*.metadata.thread_id",
            "body*.metadata.checkpoint_*",
            "*state.metadata.langgraph_*",
            "body.checkpoints.data.metadata.langgraph_*",
            "body.debug.data.payload.metadata.langgraph_*",
        ),
        lacking="superstep",
        reference="repeats in a checkpoint's metadata where the checkpoint is",
        superstep="does not",
        reason="LangGraph's own checkpointers leave it out; it stands in `checkpoint`, beside `metadata`.",
    ),
    Declared(
        operations=("GET /threads/{thread_id}/state/{checkpoint_id}",),
        at=("body.checkpoint.checkpoint_ns",),
        lacking="reference",
        reference="echoes the id of an unknown checkpoint without `checkpoint_ns`",
        superstep="has the same keys as for any checkpoint",
        reason="One shape for every checkpoint.",
    ),
    Declared(
        scripts=("state.history_before",),
        operations=("* /threads/{thread_id}/history",),
        at=("status",),
        reference='takes `before` as `{"configurable": …}` only, and fails with 422 or 500 otherwise',
        superstep='takes an id, a checkpoint, and `{"configurable": …}`',
        reason="The SDKs send the first two.",
    ),
    Declared(
        scripts=("state.update_refused",),
        operations=("POST /threads/{thread_id}/state",),
        at=("status",),
        reference="updates the newest state when `checkpoint_id` is no id",
        superstep="finds no such checkpoint: 404",
        reason="A mistake is found when it is made.",
    ),
    Declared(
        operations=("PATCH /threads/{thread_id}/state", "GET /mcp"),
        at=("headers.allow",),
        reference="names some of the methods that a path has, or none",
        superstep="names all",
        reason="That is what the header is for.",
    ),
    Declared(
        scripts=("runs.delete",),
        operations=("GET /threads/{thread_id}",),
        at=("body.values",),
        reference="keeps showing the values of a run that was deleted",
        superstep="shows those of the state that is left",
        reason="A thread and its state say the same.",
    ),
    Declared(
        scripts=("cancelling.*rolled_back", "cancelling.rollback*"),
        operations=("GET /threads/{thread_id}",),
        at=("body.status", "body.error"),
        reference="leaves a thread `busy` for a while after its run was rolled back",
        superstep="says `idle` once the run is gone",
        reason="Nothing runs on the thread any more.",
    ),
    Declared(
        scripts=("assistants.latest",),
        operations=("POST /assistants/{assistant_id}/latest",),
        at=("status",),
        reference="does not find the version when none is named: 404",
        superstep="says that `version` is required: 422",
        reason="All bodies that lack something are answered alike.",
    ),
    Declared(
        operations=("POST /mcp",),
        at=("body.result.content.*.text", "body.result.serverInfo.version"),
        reference="writes a tool's result as Python does, and of a failure its type",
        superstep="writes JSON, and what went wrong",
        reason="Models read JSON better, and can only repair what they are told.",
    ),
    Declared(
        operations=("GET /threads/{thread_id}/runs",),
        at=("status",),
        reference="answers 400 to `limit=abc`",
        superstep="answers 422",
        reason="All values that cannot be read are answered alike.",
    ),
    Declared(
        scripts=("runs.refused", "state.replay_refused"),
        operations=("* /threads/{thread_id}/runs*",),
        at=("status", "body.length"),
        reference="reads no `on_disconnect` when a background run is created, and starts a graph "
        "at a `checkpoint` whose id is no id",
        superstep="refuses both with 422",
        reason="A mistake is found when it is made.",
    ),
    Declared(
        scripts=("assistants.two_configurations_on_one_thread",),
        operations=("GET /threads/{thread_id}", "* /threads/{thread_id}/runs*"),
        at=("body.text", "body*.config.configurable.word", "body.values.text"),
        reference="lets the configuration of a thread's first run win over that of the next run's assistant",
        superstep="runs an assistant with its own configuration",
        reason="Two assistants with other configurations can take turns on one thread.",
    ),
    Declared(
        operations=("POST /threads/{thread_id}/copy",),
        at=("body.config*", "body.values", "body.status", "body.interrupts"),
        reference="copies checkpoints, and says of the copy that it has no values",
        superstep="copies the thread's row as well",
        reason="A copy that shows nothing of what it holds is no copy.",
    ),
    Declared(
        operations=("POST /store/items/search",),
        at=("body.items.*",),
        reference="lists items in the order in which they came into its memory",
        superstep="lists the newest first",
        reason="The production server's store does.",
    ),
    Declared(
        operations=("* /store/items",),
        at=("headers.content-type",),
        lacking="reference",
        reference="sends some refusals without a content type",
        superstep="says that they are text",
        reason="Clients do not have to guess.",
    ),
    Declared(
        operations=("GET /metrics",),
        at=("body.queue.*", "body.workers.*", "body.api.*"),
        reference="figures of its process",
        superstep="figures of the database; a Worker has no workers of its own to count",
        reason="They are what each server is.",
    ),
    Declared(
        operations=("GET /info",),
        at=("body.version", "body.graphs", "body.flags.langsmith*"),
        reference="its own version, and flags of LangSmith",
        superstep="its own version, and which graphs it serves",
        reason="They are what each server is.",
    ),
    Declared(
        operations=("POST (elsewhere)",),
        at=("headers.location",),
        reference="redirects a path with a slash at the end to a full address",
        superstep="redirects to a path",
        reason="The address by which the caller knows the server is the caller's.",
    ),
)

_HEAD: Final = """# Differences from `langgraph dev`

`make differential` plays scripts on Superstep and on LangGraph's own development server and compares every answer.
What differs is listed here, with the reason; anything else that differs fails it. Not compared are ids, times, the
wording of refusals and what names the host. This page is generated from `tools/differential/declared.py`.

| Operations | Where | `langgraph dev` | Superstep | Why |
|---|---|---|---|---|
"""


def document() -> str:
    """The text of `docs/differences.md`."""
    return _HEAD + "".join(_row(declared) for declared in DECLARED)


def _row(declared: Declared) -> str:
    operations, at = (" ".join(f"`{pattern}`" for pattern in some) for some in (declared.operations, declared.at))
    return f"| {operations} | {at} | {declared.reference} | {declared.superstep} | {declared.reason} |\n"
