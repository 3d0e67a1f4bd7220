"""What execution needs of a claimed run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore

from graphs.factories import Purpose
from runs.execution import graph_input
from tables import run_history
from tables.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A claimed run; `kwargs` is the run row's JSON object of the same name, which may be that of an older release."""

    run_id: str
    thread_id: str
    graph_id: str
    attempt: int
    kwargs: Mapping[str, Any]
    #: When the run's first attempt began; the same after a redrive. None for a run that an older release started.
    first_started_at: str | None = None
    #: When the first attempt since the last redrive began.
    started_at: str | None = None

    @classmethod
    def of(cls, run: Run) -> "Job":
        """The job of a claimed run whose `kwargs` are loaded."""
        return cls(
            run_id=run.run_id,
            thread_id=run.thread_id,
            graph_id=run.graph_id,
            attempt=run.attempt,
            kwargs=run.arguments,
            first_started_at=run_history.first_start(run_history.parse(run.history)) or run.started_at,
            started_at=run.started_at,
        )

    @property
    def config(self) -> RunnableConfig:
        """The config of the run's first super-step."""
        return graph_input.config(self.kwargs, run_id=self.run_id, thread_id=self.thread_id, attempt=self.attempt)

    @property
    def stream_modes(self) -> list[str]:
        """What the caller wants to see."""
        given = self.kwargs.get("stream_mode") or ["values"]
        return [given] if isinstance(given, str) else list(given)

    @property
    def speaks_protocol(self) -> bool:
        """Whether the thread streaming protocol started the run."""
        return "lifecycle" in self.stream_modes

    @property
    def streams_subgraphs(self) -> bool:
        """Whether the caller wants to see subgraphs too."""
        return bool(self.kwargs.get("subgraphs"))

    @property
    def durability(self) -> str:
        """LangGraph's `sync`, `async` or `exit`."""
        return self.kwargs.get("durability") or "async"

    @property
    def is_written_behind(self) -> bool:
        """Whether the run's super-steps go on before the last one's checkpoint is committed."""
        return self.durability == "async"

    @property
    def is_gated(self) -> bool:
        """Whether the run commits as it goes, so that its events can wait for that."""
        return self.durability != "exit"

    def purpose(self, store: BaseStore) -> Purpose:
        """What its graph is wanted for."""
        user = self.config.get("configurable", {}).get("langgraph_auth_user")
        context = self.kwargs.get("context")
        return Purpose(access="threads.create_run", config=self.config, store=store, user=user, context=context)
