"""A checkpoint saver without the synchronous half of LangGraph's interface, which says so by name."""
# ruff: noqa: ARG002 - the parameters are LangGraph's.

from collections.abc import Sequence
from typing import Any, NoReturn

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata


class AsyncOnlySaver(BaseCheckpointSaver[str]):
    """Refuses what would have to wait for the database without giving way to the event loop."""

    def get_tuple(self, config: RunnableConfig) -> NoReturn:
        """See `aget_tuple`."""
        _refuse("get_tuple")

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> NoReturn:
        """See `alist`."""
        _refuse("list")

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> NoReturn:
        """See `aput`."""
        _refuse("put")

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> NoReturn:
        """See `aput_writes`."""
        _refuse("put_writes")

    def delete_thread(self, thread_id: str) -> NoReturn:
        """See `adelete_thread`."""
        _refuse("delete_thread")

    def delete_for_runs(self, run_ids: Sequence[str]) -> NoReturn:
        """See `adelete_for_runs`."""
        _refuse("delete_for_runs")

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> NoReturn:
        """See `acopy_thread`."""
        _refuse("copy_thread")

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> NoReturn:
        """See `aprune`."""
        _refuse("prune")

    def get_delta_channel_history(self, *, config: RunnableConfig, channels: Sequence[str]) -> NoReturn:
        """See `aget_delta_channel_history`."""
        _refuse("get_delta_channel_history")


def _refuse(method: str) -> NoReturn:
    raise NotImplementedError(
        f"this checkpointer has no synchronous {method}: await a{method}, "
        "or run the graph with ainvoke, astream, aget_state and aupdate_state"
    )
