"""The methods of A2A."""

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from uuid import UUID

import ids
from api import awaited_runs, thread_runs
from api.a2a import incoming, tasks
from api.a2a.cards import HISTORY_SCOPE
from api.a2a.speech import Speech
from api.a2a.streams import updates
from api.a2a.tasks import Context, Task
from api.context import Call
from api.run_endings import ask_to_stop
from api.thread_runs import announce
from errors import NotFound
from tables import assistant_tasks, threads
from tables.access import Access
from tables.assistant_tasks import TaskRow
from tables.runs import Run
from tables.threads import Thread
from wire.a2a import A2aMessage, ListParams, SendParams, TaskParams
from wire.bodies import JsonObject
from wire.json_rpc import INVALID_PARAMS, RpcRefusal, is_object
from wire.runs import Command, RunCreate, StreamMode

TASK_NOT_FOUND: Final = -32001
NOT_CANCELABLE: Final = -32002
UNSUPPORTED: Final = -32004


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An assistant, on behalf of one caller."""

    call: Call[Any, Any]
    assistant_id: str
    #: The fields of the graph's input.
    fields: tuple[str, ...]
    speech: Speech

    async def send(self, params: SendParams) -> JsonObject:
        """Run the assistant; returns the task as it ended, or as it began if the caller does not want to wait."""
        run = await self._create(params.message, ["values"])
        wanted = params.configuration
        history_length = wanted.history_length if wanted else None
        if wanted and (wanted.blocking is False or wanted.return_immediately):
            await announce(self.call.services, [run])
            return self.speech.sent(self._shown(self._submitted(run, params.message), history_length))
        values = await awaited_runs.result(self.call, run)
        return self.speech.sent(self._shown(await self._ended(run, values), history_length))

    async def stream(self, params: SendParams) -> AsyncGenerator[JsonObject | None]:
        """Run the assistant; yields its events, and None now and then while there are none."""
        run = await self._create(params.message, ["messages-tuple", "values"])
        submitted = self._submitted(run, params.message)
        return updates(
            self.speech, submitted, awaited_runs.events(self.call, run), lambda values: self._ended(run, values)
        )

    async def get(self, params: TaskParams) -> JsonObject:
        """A task as it is now."""
        row, context = await self._read(params.id)
        return self.speech.task(self._shown(tasks.task(row, context, self.assistant_id), params.history_length))

    async def cancel(self, params: TaskParams) -> JsonObject:
        """Stop a task, and wait until it has stopped."""
        thread_id, run_id = _place(params.id)
        row, _ = await self._read(params.id)
        value = {"thread_id": UUID(thread_id), "action": "interrupt", "metadata": {"run_ids": [UUID(run_id)]}}
        access = await self.call.authorize("threads.update", value)
        try:
            await ask_to_stop(replace(self.call, access=access), thread_id, [run_id], "interrupt")
        except NotFound as error:
            raise RpcRefusal(NOT_CANCELABLE, "Task is not cancelable in its current state") from error
        await awaited_runs.stopped(self.call, row.thread_id, row.run_id)
        return await self.get(params)

    async def list_tasks(self, params: ListParams) -> JsonObject:
        """A page of the assistant's tasks, newest first."""
        thread_id = None if params.context_id is None else _context_id(params.context_id)
        offset = _offset(params.page_token)
        value = {"metadata": {}, "limit": params.page_size, "offset": offset}
        access = await self.call.authorize("threads.search", value)
        db = self.call.services.db
        rows, [counted] = await db.batch(
            assistant_tasks.select_page(
                self.assistant_id,
                access,
                thread_id=thread_id,
                statuses=_statuses(params.status),
                limit=params.page_size,
                offset=offset,
            )
        )
        contexts = await self._contexts(list({row["thread_id"]: None for row in rows}), access)
        found = [
            tasks.task(row, contexts[row.thread_id], self.assistant_id)
            for row in map(TaskRow.from_row, rows)
            if row.thread_id in contexts  # not deleted meanwhile
        ]
        if not params.include_artifacts:
            found = [replace(task, artifacts=[]) for task in found]
        shown = [self.speech.task(self._shown(task, params.history_length)) for task in found]
        after = offset + len(rows)
        more = str(after) if after < counted["number"] else ""
        return {"tasks": shown, "nextPageToken": more, "pageSize": params.page_size, "totalSize": counted["number"]}

    async def _create(self, message: A2aMessage, stream_mode: list[StreamMode]) -> Run:
        """Create a run on the thread that the message names, or on a new one; a repeated message gets its first run."""
        return await awaited_runs.create(self.call, partial(self._request, message, stream_mode), _find)

    async def _request(self, message: A2aMessage, stream_mode: list[StreamMode]) -> tuple[RunCreate, str]:
        request = RunCreate(assistant_id=self.assistant_id, if_not_exists="create", stream_mode=stream_mode)
        if message.task_id is not None:
            thread_id = await self._waiting(message, message.task_id)
            request.command = Command(resume=incoming.answer(message))
        else:
            thread_id = ids.time_ordered() if message.context_id is None else _context_id(message.context_id)
            request.input = incoming.run_input(message, self.fields)
        return request, thread_id

    async def _waiting(self, message: A2aMessage, task_id: str) -> str:
        """The thread of a task that waits for input."""
        row, context = await self._read(task_id)
        if message.context_id is not None and _context_id(message.context_id) != row.thread_id:
            raise RpcRefusal(INVALID_PARAMS, f"Task {task_id} is not of context {message.context_id[:100]}")
        if tasks.task(row, context, self.assistant_id).status.state != "input-required":
            raise RpcRefusal(
                UNSUPPORTED,
                f"Task {task_id} does not wait for input; go on with contextId {row.thread_id} and without taskId",
            )
        return row.thread_id

    async def _read(self, task_id: str) -> tuple[TaskRow, Context]:
        thread_id, run_id = _place(task_id)
        access = await self.call.authorize("threads.read", {"thread_id": UUID(thread_id), "run_id": UUID(run_id)})
        found, *context = await self.call.services.db.batch(
            [
                assistant_tasks.select(thread_id, run_id, self.assistant_id),
                threads.select(thread_id, access),
                assistant_tasks.select_turns([thread_id]),
            ]
        )
        thread = await threads.first_from_rows(self.call.services.db, context[0])
        if not found or thread is None:
            raise _not_found(task_id)
        return TaskRow.from_row(found[0]), _context(thread, context[1])

    async def _ended(self, run: Run, values: Any) -> Task:
        """The task of a run for which this caller has waited, with its final values."""
        row, context = await self._read(tasks.task_id(run.thread_id, run.run_id))
        if is_object(values) and "__error__" not in values:
            asked = values.get("__interrupt__", [])
            context = replace(context, values=values, interrupts=asked)
        return tasks.task(row, context, self.assistant_id)

    async def _contexts(self, thread_ids: list[str], access: Access) -> dict[str, Context]:
        db = self.call.services.db
        *rows, turns = await db.batch(
            [
                *(threads.select(thread_id, access) for thread_id in thread_ids),
                assistant_tasks.select_turns(thread_ids),
            ]
        )
        found = await threads.whole(db, [Thread.from_row(row) for [row] in filter(None, rows)])
        return {
            thread.thread_id: _context(thread, [turn for turn in turns if turn["thread_id"] == thread.thread_id])
            for thread in found
        }

    def _submitted(self, run: Run, message: A2aMessage) -> Task:
        task_id = tasks.task_id(run.thread_id, run.run_id)
        status = tasks.Status(state="submitted", timestamp=run.created_at)
        parts = [
            tasks.Part(text=part.text) if part.text is not None else tasks.Part(data=part.data)
            for part in message.parts
            if part.text is not None or is_object(part.data)
        ]
        said = tasks.Message(
            role="user", parts=parts, message_id=message.message_id, context_id=run.thread_id, task_id=task_id
        )
        return Task(task_id=task_id, context_id=run.thread_id, status=status, history=[said])

    def _shown(self, task: Task, history_length: int | None) -> Task:
        history = list(task.history)
        if self.call.request.headers.get(HISTORY_SCOPE.lower(), "").strip().lower() == "task":
            history = [message for message in history if message.task_id == task.task_id]
        if history_length is not None:
            history = history[len(history) - history_length :] if history_length < len(history) else history
        return replace(task, history=history)


async def _find(call: Call[Any, Any], made: Sequence[tuple[str, str]]) -> Run | None:
    """The run of an earlier message with the same key."""
    [(thread_id, run_id)] = made
    access = await call.authorize("threads.read", {"thread_id": UUID(thread_id), "run_id": UUID(run_id)})
    return await thread_runs.find(replace(call, access=access, path={"thread_id": thread_id}), made)


def _context(thread: Thread, turns: list[Any]) -> Context:
    interrupts = json.loads(thread.interrupts) if thread.status == "interrupted" else {}
    return Context(
        values=json.loads(thread.values_json or "null"),
        interrupts=[interrupt for asked in interrupts.values() for interrupt in asked],
        turns=[(turn["run_id"], turn["message_id"]) for turn in turns],
    )


def _place(task_id: str) -> tuple[str, str]:
    thread_id, _, run_id = (ids.canonical(part) or "" for part in task_id.partition(":"))
    if not thread_id or not run_id:
        raise _not_found(task_id)
    return thread_id, run_id


def _context_id(context_id: str) -> str:
    thread_id = ids.canonical(context_id)
    if thread_id is None:
        raise RpcRefusal(INVALID_PARAMS, "contextId must be a UUID: it is the id of a thread")
    return thread_id


def _not_found(task_id: str) -> RpcRefusal:
    return RpcRefusal(TASK_NOT_FOUND, f"Task not found: {task_id[:200]}")


def _offset(token: str | None) -> int:
    if not token:
        return 0
    if not (token.isascii() and token.isdigit() and len(token) < 10):
        raise RpcRefusal(INVALID_PARAMS, "pageToken must be the nextPageToken of an earlier answer")
    return int(token)


def _statuses(state: str | None) -> list[Any] | None:
    """The statuses of runs that correspond to a state; a task that waits for input is a success."""
    if state is None or state == "TASK_STATE_UNSPECIFIED":
        return None
    wanted = state.removeprefix("TASK_STATE_").lower().replace("_", "-")
    wanted = "completed" if wanted == "input-required" else wanted
    return [status for status, known in tasks.STATES.items() if known == wanted]
