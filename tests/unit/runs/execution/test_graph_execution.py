"""What one run streams, and how it ends: names, data and order as recorded from other LangGraph servers."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel.remote import RemoteGraph
from langgraph.runtime import RunControl, Runtime
from langgraph.types import Command, interrupt
from langgraph_sdk.schema import StreamPart

from errors import DatabaseError
from runs.execution import arrivals, graph_execution, graph_input, node_ends
from streaming import events
from streaming.events import Frame
from tests.support import sample_graphs
from tests.support.run_driver import D1Opener, RunDriver, SlowSaver, always, named

TOPIC = {"topic": "s"}


async def all_events(driver: RunDriver, number: int = 1, **kwargs: Any) -> list[tuple[str, Any]]:
    """All events of a new run, data parsed."""
    return [(name, json.loads(data)) for name, data in named(await frames(driver, number, **kwargs))]


async def frames(driver: RunDriver, number: int = 1, **kwargs: Any) -> list[Frame]:
    await driver.slice(driver.job(number, **kwargs))
    return await driver.read(driver.job(number).run_id)


def sequence_values() -> list[dict[str, Any]]:
    names = [f"{name}:s" for name in sample_graphs.NODES]
    return [{"topic": "s", "messages": names[:count]} for count in range(5)]


async def test_the_first_event_names_the_run_and_its_attempt() -> None:
    driver = RunDriver(sample_graphs.sequence())
    assert (await all_events(driver, input=TOPIC))[0] == ("metadata", {"run_id": driver.job().run_id, "attempt": 1})


async def test_values_shows_the_state_after_the_input_and_after_each_super_step() -> None:
    shown = await all_events(RunDriver(sample_graphs.sequence()), input=TOPIC)
    assert shown[1:] == [("values", values) for values in sequence_values()]


async def test_updates_shows_what_each_node_wrote() -> None:
    shown = await all_events(RunDriver(sample_graphs.sequence()), input=TOPIC, stream_mode=["updates"])
    assert shown[1:] == [("updates", {name: {"messages": [f"{name}:s"]}}) for name in sample_graphs.NODES]


async def test_several_modes_come_interleaved_in_langgraphs_order() -> None:
    shown = await all_events(
        RunDriver(sample_graphs.sequence()), input=TOPIC, stream_mode=["values", "updates", "custom"]
    )
    values = sequence_values()
    expected: list[tuple[str, Any]] = [("values", values[0])]
    for count, name in enumerate(sample_graphs.NODES, 1):
        expected += [("custom", {"stage": name}), ("updates", {name: {"messages": [f"{name}:s"]}})]
        expected += [("values", values[count])]
    assert shown[1:] == expected


async def test_tasks_shows_start_and_result_of_each_node() -> None:
    driver = RunDriver(sample_graphs.sequence())
    shown = [data for name, data in await all_events(driver, input=TOPIC, stream_mode=["tasks"]) if name == "tasks"]
    assert [task["name"] for task in shown] == [name for name in sample_graphs.NODES for _ in range(2)]
    start, result = shown[:2]
    assert list(start) == ["id", "name", "input", "triggers", "metadata"]
    assert (start["input"], start["triggers"]) == ({"topic": "s", "messages": []}, ["branch:to:planner"])
    assert start["metadata"]["run_id"] == driver.job().run_id
    assert result == {
        "id": start["id"],
        "name": "planner",
        "error": None,
        "result": {"messages": ["planner:s"]},
        "interrupts": [],
    }


async def test_checkpoints_and_debug_show_each_checkpoint_once() -> None:
    driver = RunDriver(sample_graphs.sequence())
    shown = await all_events(driver, input=TOPIC, stream_mode=["checkpoints", "debug"])
    checkpoints = [data for name, data in shown if name == "checkpoints"]
    assert [data["metadata"]["step"] for data in checkpoints] == [-1, 0, 1, 2, 3, 4]
    assert list(checkpoints[0]) == ["config", "parent_config", "values", "metadata", "next", "tasks"]
    assert (checkpoints[0]["next"], checkpoints[-1]["next"]) == (["__start__"], [])
    debug = [data for name, data in shown if name == "debug"]
    assert [(data["step"], data["type"]) for data in debug[:6]] == [
        (-1, "checkpoint"),
        (0, "checkpoint"),
        (1, "task"),
        (1, "task_result"),
        (1, "checkpoint"),
        (2, "task"),
    ]
    payload = debug[1]["payload"]
    assert payload["checkpoint"] == {
        "checkpoint_id": checkpoints[1]["config"]["configurable"]["checkpoint_id"],
        "thread_id": driver.thread_id,
        "checkpoint_ns": "",
    }
    assert payload["parent_checkpoint"]["checkpoint_id"] == debug[0]["payload"]["checkpoint"]["checkpoint_id"]


async def test_events_tells_of_every_node_under_the_runs_own_id() -> None:
    driver = RunDriver(sample_graphs.sequence())
    shown = await all_events(driver, input=TOPIC, stream_mode=["events", "values"])
    told = [(data["event"], data["name"]) for name, data in shown if name == "events"]
    assert (told[0], told[-1]) == (("on_chain_start", "graph"), ("on_chain_end", "graph"))
    for node in sample_graphs.NODES:
        assert [event for event, name in told if name == node] == ["on_chain_start", "on_chain_stream", "on_chain_end"]
    assert {data["run_id"] for name, data in shown if name == "events" and data["name"] == "graph"} == {
        driver.job().run_id
    }
    assert [data for name, data in shown if name == "values"] == sequence_values()


async def test_subgraph_events_carry_their_namespace_in_the_name() -> None:
    shown = await all_events(
        RunDriver(sample_graphs.parent()), input={"trail": ["in"]}, stream_mode=["values", "updates"], subgraphs=True
    )
    child = next(name for name, _ in shown if "|" in name).partition("|")[2]
    assert child.startswith("child:")
    assert shown[1:] == [
        ("values", {"trail": ["in"]}),
        ("updates", {"before": {"trail": ["before"]}}),
        ("values", {"trail": ["in", "before"]}),
        (f"values|{child}", {"trail": ["in", "before"]}),
        (f"updates|{child}", {"sub1": {"trail": ["sub1"]}}),
        (f"values|{child}", {"trail": ["in", "before", "sub1"]}),
        (f"updates|{child}", {"sub2": {"trail": ["sub2"]}}),
        (f"values|{child}", {"trail": ["in", "before", "sub1", "sub2"]}),
        ("updates", {"child": {"trail": ["in", "before", "sub1", "sub2"]}}),
        ("values", {"trail": ["in", "before", "in", "before", "sub1", "sub2"]}),
        ("updates", {"after": {"trail": ["after"]}}),
        ("values", {"trail": ["in", "before", "in", "before", "sub1", "sub2", "after"]}),
    ]


async def test_without_subgraphs_nothing_of_them_is_streamed() -> None:
    shown = await all_events(
        RunDriver(sample_graphs.parent()), input={"trail": ["in"]}, stream_mode=["values", "updates"]
    )
    assert {name for name, _ in shown} == {"metadata", "values", "updates"}


def chat() -> Any:
    """A model that streams three words, then a node that returns a whole message."""
    model = GenericFakeChatModel(messages=iter([AIMessage("Hello brave world", id="ai-1")]))

    async def talk(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    async def add(state: MessagesState) -> dict[str, Any]:
        return {"messages": [ToolMessage("5", tool_call_id="call_1", id="tool-1", name="adder")]}

    builder = StateGraph(MessagesState)
    builder.add_node("talk", talk)
    builder.add_node("add", add)
    builder.add_edge(START, "talk")
    builder.add_edge("talk", "add")
    return builder.compile()


HELLO = {"messages": [{"role": "user", "content": "hi"}]}


async def test_messages_tuple_streams_chunks_with_their_metadata() -> None:
    shown = await all_events(RunDriver(chat()), input=HELLO, stream_mode=["messages-tuple"])
    assert {name for name, _ in shown[1:]} == {"messages"}
    chunks = [data[0] for _, data in shown[1:]]
    assert "".join(chunk["content"] for chunk in chunks if chunk["type"] == "AIMessageChunk") == "Hello brave world"
    assert list(chunks[0])[-2:] == ["tool_call_chunks", "chunk_position"]
    assert chunks[-1]["type"] == "tool"
    metadata = shown[1][1][1]
    assert (metadata["langgraph_node"], metadata["langgraph_step"], metadata["run_attempt"]) == ("talk", 1, 1)
    assert metadata["langgraph_checkpoint_ns"].startswith("talk:")


async def test_messages_grows_streamed_messages_and_completes_whole_ones() -> None:
    shown = (await all_events(RunDriver(chat()), input=HELLO, stream_mode=["messages"]))[1:]
    streamed = [data[0] for name, data in shown if name == "messages/partial"]
    assert streamed[-1]["content"] == "Hello brave world"
    assert {message["type"] for message in streamed} == {"ai"}
    assert all(streamed[-1]["content"].startswith(message["content"]) for message in streamed)
    names = [name for name, _ in shown]
    assert names[:2] == ["messages/metadata", "messages/partial"]
    assert names[-2:] == ["messages/metadata", "messages/complete"]
    assert shown[-1][1][0]["content"] == "5"
    assert list(shown[-2][1]) == ["tool-1"]


async def test_messages_and_messages_tuple_together_give_only_tuples() -> None:
    shown = await all_events(RunDriver(chat()), input=HELLO, stream_mode=["messages", "messages-tuple"])
    assert {name for name, _ in shown[1:]} == {"messages"}


async def test_messages_without_an_id_get_one_before_they_are_shown() -> None:
    async def talk(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("hello")]}

    builder = StateGraph(MessagesState)
    builder.add_node("talk", talk)
    builder.add_edge(START, "talk")
    shown = await all_events(RunDriver(builder.compile()), input=HELLO, stream_mode=["updates", "values"])
    updated = next(data for name, data in shown if name == "updates")["talk"]["messages"][0]
    assert updated["id"] is not None
    assert shown[-1][1]["messages"][-1] == updated


async def test_an_interrupt_ends_the_run_in_success_and_leaves_the_thread_interrupted() -> None:
    driver = RunDriver(sample_graphs.hitl())
    outcome = await driver.slice(driver.job(input={"draft": "d"}, stream_mode=["updates", "values"]))
    question = {"question": "approve?", "draft": "draft-d"}
    assert (outcome.status, outcome.next) == ("success", ("approve",))
    assert json.loads(outcome.values) == {"draft": "draft-d", "log": ["draft"]}
    (asked,) = json.loads(outcome.wait_result).pop("__interrupt__")
    assert asked == {"value": question, "id": asked["id"], "response_schema": None}
    ((shown,),) = json.loads(outcome.interrupts).values()
    assert shown == {"id": asked["id"], "value": question}
    last = [(name, json.loads(data)) for name, data in named(await driver.read(driver.job().run_id))][-2:]
    assert last == [
        ("updates", {"__interrupt__": [asked]}),
        ("values", {"draft": "draft-d", "log": ["draft"], "__interrupt__": [asked]}),
    ]


async def test_a_crash_after_the_run_was_stored_as_ended_shows_the_question_all_the_same() -> None:
    driver = RunDriver(sample_graphs.hitl())
    job = driver.job(input={"draft": "d"}, stream_mode=["updates", "values"])
    stream = driver.streams.open(job.run_id)
    outcome = await graph_execution.execute(job, driver.graph, driver.saver, stream, RunControl())
    shown = named(stream.frames_after(events.START))
    driver.incarnate()
    driver.streams.end(job.run_id, outcome.wait_result, "completed")
    replayed = named(await driver.read(job.run_id))
    assert replayed[1 : len(shown)] == shown[1:]
    assert [(name, "__interrupt__" in data) for name, data in replayed[len(shown) :]] == [
        ("updates", True),
        ("values", True),
    ]


async def test_an_answer_resumes_the_graph() -> None:
    driver = RunDriver(sample_graphs.hitl())
    await driver.slice(driver.job(input={"draft": "d"}))
    shown = await all_events(driver, 2, command={"resume": {"ok": True}}, stream_mode=["updates", "values"])
    assert shown[1:] == [
        ("values", {"draft": "draft-d", "log": ["draft"]}),
        ("updates", {"approve": {"decision": {"ok": True}, "log": ["approve"]}}),
        ("values", {"draft": "draft-d", "decision": {"ok": True}, "log": ["draft", "approve"]}),
        ("updates", {"publish": {"log": ["publish"]}}),
        ("values", {"draft": "draft-d", "decision": {"ok": True}, "log": ["draft", "approve", "publish"]}),
    ]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ({"goto": "writer", "update": {"topic": "2"}}, ["writer:2", "editor:2"]),
        ({"goto": ["writer"], "update": [["topic", "3"]]}, ["writer:3", "editor:3"]),
        ({"goto": {"node": "writer", "input": {"topic": "sent"}}}, ["writer:sent", "editor:s"]),
        ({"resume": "nothing was asked"}, []),
        ({}, []),
    ],
)
async def test_a_command_goes_elsewhere_and_brings_values(command: dict[str, Any], expected: list[str]) -> None:
    driver = RunDriver(sample_graphs.sequence())
    first = json.loads((await driver.slice(driver.job(input=TOPIC))).values)["messages"]
    outcome = await driver.slice(driver.job(2, command=command, input={"topic": "not used"} if command else None))
    assert json.loads(outcome.values)["messages"] == first + expected


async def test_a_static_breakpoint_stops_without_a_question() -> None:
    driver = RunDriver(sample_graphs.sequence())
    outcome = await driver.slice(driver.job(input=TOPIC, interrupt_before=["writer"], stream_mode=["updates"]))
    assert (outcome.status, outcome.next, outcome.interrupts) == ("success", ("writer",), "{}")
    assert "__interrupt__" not in json.loads(outcome.wait_result)
    assert named(await driver.read(driver.job().run_id))[-1] == ("updates", '{"__interrupt__":[]}')
    rest = await driver.slice(driver.job(2, input=None))
    assert json.loads(rest.values)["messages"] == [f"{name}:s" for name in sample_graphs.NODES]


async def test_no_task_of_a_function_goes_on_after_its_run_was_cancelled() -> None:
    node_ends.install()
    done: list[str] = []

    @task
    async def errand(name: str) -> str:
        for _ in range(50):
            await asyncio.sleep(0)
        done.append(name)
        return name

    @entrypoint()
    async def errands(names: list[str]) -> list[str]:
        return [await each for each in [errand(name) for name in names]]

    for turns in range(1, 50):
        driver = RunDriver(errands)
        slice_ = asyncio.create_task(driver.slice(driver.job(input=["a", "b"], stream_mode=["values", "events"])))
        for _ in range(turns):
            await asyncio.sleep(0)
        slice_.cancel()
        await asyncio.wait([slice_])
        for _ in range(200):
            await asyncio.sleep(0)
        assert (slice_.cancelled(), done) == (True, []), f"cancelled after turn {turns}"


@pytest.mark.parametrize("seconds", [0.01, 60])
async def test_a_node_with_a_timeout_is_over_when_its_run_is(seconds: float) -> None:
    node_ends.install()
    begun, over = asyncio.Event(), asyncio.Event()

    async def call(_: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(20):
                await asyncio.sleep(0)
            over.set()

    builder = StateGraph(sample_graphs.Trail)
    builder.add_node("call", call, timeout=seconds)
    builder.add_edge(START, "call")
    driver = RunDriver(builder.compile())
    slice_ = asyncio.create_task(driver.slice(driver.job(input={"trail": []})))
    await begun.wait()
    if seconds == 60:
        slice_.cancel()
    await asyncio.wait([slice_])
    assert over.is_set()


async def test_a_failing_node_ends_the_run_with_its_error_after_all_it_showed() -> None:
    driver = RunDriver(sample_graphs.fan_out())
    outcome = await driver.slice(driver.job(input={"trail": ["a", "fail"]}, stream_mode=["values", "tasks"]))
    error = {"error": "ValueError", "message": "boom"}
    assert outcome.status == "error"
    assert (json.loads(outcome.error or ""), json.loads(outcome.wait_result)) == (error, {"__error__": error})
    shown = named(await driver.read(driver.job().run_id))
    assert shown[-1] == ("error", json.dumps(error, separators=(",", ":")))
    failed = [json.loads(data) for name, data in shown if name == "tasks" and '"error":{' in data]
    assert [task["error"] for task in failed] == [error]


@pytest.mark.parametrize("given", ["text", 7, ["list"]])
async def test_an_input_the_graph_cannot_take_is_the_runs_error(given: Any) -> None:
    driver = RunDriver(sample_graphs.sequence())
    outcome = await driver.slice(driver.job(input=given))
    assert outcome.status == "error"
    assert json.loads(outcome.error or "")["error"] == "InvalidUpdateError"


async def test_a_run_from_an_earlier_checkpoint_replays_what_came_after() -> None:
    driver = RunDriver(sample_graphs.sequence())
    shown = await all_events(driver, input=TOPIC, stream_mode=["checkpoints"])
    checkpoint = next(data for _, data in shown[1:] if data["metadata"]["step"] == 2)
    configurable = {"checkpoint_id": checkpoint["config"]["configurable"]["checkpoint_id"], "checkpoint_ns": ""}
    replayed = await all_events(
        driver, 2, input=None, config={"configurable": configurable}, stream_mode=["updates", "values"]
    )
    assert [data for name, data in replayed if name == "updates"] == [
        {"writer": {"messages": ["writer:s"]}},
        {"editor": {"messages": ["editor:s"]}},
    ]
    assert [data["messages"] for name, data in replayed if name == "values"] == [
        values["messages"] for values in sequence_values()[2:]
    ]


async def test_durability_exit_streams_everything_and_stores_one_checkpoint() -> None:
    driver = RunDriver(sample_graphs.sequence())
    shown = await all_events(driver, input=TOPIC, durability="exit", stream_mode=["values", "updates"])
    assert len(shown) == 1 + 5 + 4
    config = {"configurable": {"thread_id": driver.thread_id}}
    assert len([saved async for saved in driver.saver.alist(config)]) == 1  # type: ignore[arg-type]


async def test_the_functional_api_runs_and_answers_what_it_returns() -> None:
    @task
    async def double(number: int) -> int:
        return 2 * number

    @entrypoint()
    async def twice(number: int) -> list[int]:
        return [await double(number), await double(number + 1)]

    driver = RunDriver(twice)
    outcome = await driver.slice(driver.job(input=20, stream_mode=["updates", "values"]))
    assert (outcome.status, outcome.values, outcome.wait_result) == ("success", "[40,42]", "[40,42]")


async def test_a_context_keeps_only_what_the_schema_knows() -> None:
    @dataclass
    class Context:
        user: str

    async def node(state: sample_graphs.Sequence, runtime: Runtime[Context]) -> dict[str, Any]:
        return {"messages": [runtime.context.user]}

    builder = StateGraph(sample_graphs.Sequence, context_schema=Context)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    driver = RunDriver(builder.compile())
    outcome = await driver.slice(driver.job(input=TOPIC, context={"user": "ada", "stranger": 1}))
    assert json.loads(outcome.values)["messages"] == ["ada"]


async def test_a_failure_of_the_database_is_raised_so_that_the_run_is_tried_again() -> None:
    class Broken(SlowSaver):
        async def aput(self, *args: Any, **kwargs: Any) -> Any:
            raise DatabaseError("D1 is overloaded")

    driver = RunDriver(sample_graphs.sequence(), always(Broken()))
    stream = driver.streams.open(driver.job().run_id)
    with pytest.raises(DatabaseError):
        await driver.slice(driver.job(input=TOPIC, stream_mode=["updates", "values"]))
    assert [frame.name for frame in stream.frames_after(events.START)] == [".start"]


async def test_nothing_of_a_super_step_is_shown_before_it_is_committed() -> None:
    class Watching(SlowSaver):
        async def aput(self, config: Any, checkpoint: Any, metadata: Any, versions: Any) -> Any:
            seen.append((metadata["step"], [frame.name for frame in stream.frames_after(events.START)]))
            return await super().aput(config, checkpoint, metadata, versions)

    seen: list[tuple[int, list[str]]] = []
    driver = RunDriver(sample_graphs.sequence(), always(Watching()))
    stream = driver.streams.open(driver.job().run_id)
    await driver.slice(driver.job(input=TOPIC, stream_mode=["updates", "values"]))
    for step, names in seen:
        assert (names.count("updates"), names.count("values")) == (max(0, step - 1), max(0, step)), f"step {step}"


async def test_a_drained_run_says_only_that() -> None:
    driver = RunDriver(sample_graphs.sequence())
    control = RunControl()
    control.request_drain()
    outcome = await driver.slice(driver.job(input=TOPIC), control)
    assert outcome.status == "drained"
    assert driver.streams.stored_result(driver.job().run_id) is None


def test_a_command_is_what_langgraph_calls_one() -> None:
    assert graph_input.first_input({"command": {"resume": 1}, "input": {"a": 1}}) == Command(resume=1)
    assert graph_input.first_input({"command": {}, "input": {"a": 1}}) is None
    assert graph_input.first_input({"command": None, "input": {"a": 1}}) == {"a": 1}
    assert graph_input.first_input({"command": {"goto": END}}) == Command(goto=END)


async def test_what_a_finished_task_did_is_shown_while_its_super_step_goes_on() -> None:
    gate = asyncio.Event()

    @task
    async def work(name: str) -> str:
        if name == "slow":
            await gate.wait()
        return name

    @entrypoint()
    async def workflow(names: list[str]) -> list[str]:
        return [await future for future in [work(name) for name in names]]

    driver = RunDriver(workflow, D1Opener())
    job = driver.job(input=["quick", "slow"], stream_mode=["updates"])
    running = asyncio.create_task(driver.slice(job))
    shown: list[Frame] = []
    async with asyncio.timeout(10):
        while not named(shown, "updates"):
            await asyncio.sleep(0.01)
            shown = driver.streams.open(job.run_id).frames_after(events.START)
    assert named(shown, "updates") == [("updates", '{"work":"quick"}')]
    gate.set()
    await running
    updates = [data for _, data in named(await driver.read(job.run_id), "updates")]
    assert updates == ['{"work":"quick"}', '{"work":"slow"}', '{"workflow":["quick","slow"]}']


@pytest.mark.parametrize("before", ["breakpoint", "state set by hand"])
@pytest.mark.parametrize("graph", ["the run's own", "a subgraph"])
@pytest.mark.parametrize("modes", [["checkpoints"], ["debug"], ["values"], ["updates", "values", "checkpoints"]])
async def test_a_run_that_goes_on_from_another_one_shows_tokens_at_once(
    modes: list[str], graph: str, before: str
) -> None:
    is_going = asyncio.Event()

    async def work(state: sample_graphs.Trail) -> dict[str, Any]:
        get_stream_writer()("token")
        await is_going.wait()
        return {"trail": ["worked"]}

    def wrapped(node: Any) -> Any:
        builder = StateGraph(sample_graphs.Trail)
        builder.add_node("node", node)
        builder.add_edge(START, "node")
        return builder.compile()

    driver = RunDriver(wrapped(wrapped(work) if graph == "a subgraph" else work), D1Opener(write_behind=True))
    if before == "breakpoint":
        await driver.slice(driver.job(1, input={"trail": []}, interrupt_before=["node"]))
    else:
        bound = driver.graph.copy({"checkpointer": driver.saver})
        await bound.aupdate_state({"configurable": {"thread_id": driver.thread_id}}, {"trail": ["in"]}, "__start__")
    job = driver.job(2, stream_mode=["custom", *modes], subgraphs=True)
    running = asyncio.ensure_future(driver.slice(job))
    stream = driver.streams.open(job.run_id)
    async with asyncio.timeout(5):
        while not any(frame.name.startswith("custom") for frame in stream.frames_after(events.START)):
            await asyncio.sleep(0)
            assert not running.done()
    is_going.set()
    await running


@pytest.mark.parametrize("subgraphs", [True, False], ids=["subgraphs", ""])
@pytest.mark.parametrize("durability", ["async", "sync"])
@pytest.mark.parametrize("modes", [["custom"], ["custom", "updates"], ["events", "custom"]], ids=",".join)
async def test_a_node_that_talks_until_another_one_is_done_holds_it_up_for_no_moment(
    modes: list[str], durability: str, *, subgraphs: bool
) -> None:
    is_done = asyncio.Event()

    async def step(_state: sample_graphs.Trail) -> dict[str, Any]:
        return {"trail": ["step"]}

    async def end(_state: sample_graphs.Trail) -> dict[str, Any]:
        is_done.set()
        return {"trail": ["end"]}

    async def talk(_state: sample_graphs.Trail) -> dict[str, Any]:
        while not is_done.is_set():
            get_stream_writer()("not yet")
            await asyncio.sleep(0)
        return {"trail": ["talk"]}

    child, builder = StateGraph(sample_graphs.Trail), StateGraph(sample_graphs.Trail)
    child.add_sequence([("first", step), ("second", step), ("end", end)])
    child.add_edge(START, "first")
    for name, node in (("child", child.compile()), ("talk", talk)):
        builder.add_node(name, node)
        builder.add_edge(START, name)
    driver = RunDriver(builder.compile(), D1Opener(write_behind=durability == "async"))
    async with asyncio.timeout(5):
        told = await all_events(
            driver, input={"trail": []}, stream_mode=modes, durability=durability, subgraphs=subgraphs
        )
    words = [data for name, data in told if name == "custom"]
    assert words == ["not yet"] * len(words)
    assert 0 < len(words) < arrivals.MAX_TURNS / 10


class OtherServer:
    """What a `RemoteGraph` calls: a graph of which two checkpoints are streamed before and one after its middle."""

    def __init__(self, middle: Callable[[Any], Awaitable[Any]]) -> None:
        self.runs = self
        self._middle = middle

    async def stream(self, *, stream_mode: list[str], **_: Any) -> AsyncIterator[StreamPart]:
        for step in range(3):
            if step == 2:
                await self._middle({})
            values = {"trail": [f"remote {step}"]}
            told = {
                "config": {"configurable": {"checkpoint_id": f"other {step}"}},
                "metadata": {"step": step, "source": "loop"},
                "tasks": [],
            }
            for mode, data in (("values", values), ("checkpoints", told), ("debug", debug_of(step, told))):
                if mode in stream_mode:
                    yield StreamPart(mode, data)


def debug_of(step: int, checkpoint: dict[str, Any]) -> dict[str, Any]:
    return {"type": "checkpoint", "step": step, "timestamp": "", "payload": checkpoint}


def exiting(middle: Callable[[Any], Awaitable[Any]]) -> Any:
    """A node that calls a graph which gives nothing to the checkpointer before its end."""
    child = StateGraph(sample_graphs.Trail)
    child.add_sequence([("first", lambda _state: {"trail": ["first"]}), ("middle", middle)])
    child.add_edge(START, "first")
    graph = child.compile()

    async def call(_state: sample_graphs.Trail) -> Any:
        return await graph.ainvoke({"trail": []}, durability="exit")

    return call


def remote(middle: Callable[[Any], Awaitable[Any]]) -> Any:
    """A node that is a graph of another server."""
    return RemoteGraph("graph", client=cast(Any, OtherServer(middle)), name="calls")


@pytest.mark.parametrize("modes", [["values"], ["updates", "checkpoints"], ["debug"]], ids=",".join)
@pytest.mark.parametrize("caller", [exiting, remote])
async def test_a_graph_whose_checkpoints_nobody_stores_keeps_nothing_from_being_shown(
    caller: Callable[[Any], Any], modes: list[str]
) -> None:
    is_in_the_middle, is_heard = asyncio.Event(), asyncio.Event()

    async def middle(_state: Any) -> dict[str, Any]:
        is_in_the_middle.set()
        await is_heard.wait()
        return {"trail": ["middle"]}

    async def talk(_state: sample_graphs.Trail) -> dict[str, Any]:
        await is_in_the_middle.wait()
        get_stream_writer()("word")
        await is_heard.wait()
        return {"trail": ["talk"]}

    builder = StateGraph(sample_graphs.Trail)
    for name, node in (("calls", caller(middle)), ("talk", talk)):
        builder.add_node(name, node)
        builder.add_edge(START, name)
    driver = RunDriver(builder.compile(), D1Opener(write_behind=True))
    job = driver.job(input={"trail": []}, stream_mode=["custom", *modes], subgraphs=True)
    running = asyncio.ensure_future(driver.slice(job))
    stream = driver.streams.open(job.run_id)
    shown: list[str] = []
    async with asyncio.timeout(5):
        while "custom" not in shown:
            await asyncio.sleep(0)
            shown = [frame.name for frame in stream.frames_after(events.START)]
    is_heard.set()
    assert (await running).status == "success"
    assert any(name.startswith(f"{modes[-1]}|calls:") for name in shown), "what it does is live"


async def test_a_task_that_an_earlier_run_has_finished_is_told_of_before_those_that_finish_now() -> None:
    def ask(name: str) -> Any:
        async def act(_state: sample_graphs.Trail) -> dict[str, Any]:
            return {"trail": [interrupt(name)]}

        return act

    builder = StateGraph(sample_graphs.Trail)
    for name in ("first", "second"):
        builder.add_node(name, ask(name))
        builder.add_edge(START, name)
    driver = RunDriver(builder.compile(), D1Opener(write_behind=True))
    asked = await all_events(driver, input={"trail": []}, stream_mode=["updates"])
    questions = [question for name, data in asked if name == "updates" for question in data["__interrupt__"]]
    ids = {question["value"]: question["id"] for question in questions}
    await frames(driver, 2, command={"resume": {ids["first"]: "yes"}})
    told = await all_events(driver, 3, command={"resume": {ids["second"]: "no"}}, stream_mode=["updates"])
    assert [next(iter(updates)) for name, updates in told if name == "updates"] == ["first", "second"]


async def test_a_node_may_drive_a_graph_of_its_own_through_breakpoints_and_questions() -> None:
    """It has a checkpointer of its own, and a limit for each call."""

    async def ask(_: sample_graphs.Trail) -> dict[str, Any]:
        return {"trail": [interrupt(n) for n in range(4)]}

    inner = StateGraph(sample_graphs.Trail)
    inner.add_sequence([("plan", lambda _: {"trail": ["plan"]}), ("ask", ask)])
    inner.add_edge(START, "plan")
    driven = inner.compile(checkpointer=InMemorySaver(), interrupt_before=["ask"])

    async def drive(_: sample_graphs.Trail) -> dict[str, Any]:
        config: Any = {"configurable": {"thread_id": "own"}, "recursion_limit": 3}
        await driven.ainvoke({"trail": []}, config)
        await driven.ainvoke(None, config)
        for n in range(4):
            said = await driven.ainvoke(Command(resume=n), config)
        return {"trail": said["trail"]}

    builder = StateGraph(sample_graphs.Trail)
    builder.add_node("drive", drive)
    builder.add_edge(START, "drive")
    driver = RunDriver(builder.compile())
    outcome = await driver.slice(driver.job(input={"trail": []}))
    assert json.loads(outcome.values or "") == {"trail": ["plan", 0, 1, 2, 3]}, outcome.error
