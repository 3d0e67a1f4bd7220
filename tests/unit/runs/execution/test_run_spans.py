"""A run as a trace: its graph's spans, below one span for all attempts, below the span of its caller."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph

import trace_context
from settings import Settings
from tests.support.fragile_threads import SETTINGS, Fragile
from tests.support.http_api import Api, State
from tests.support.otlp import ReceivedSpan
from tests.support.span_receiver import LANGSMITH, Receiver, Way
from tests.support.thread_object_in_memory import ThreadObjectInMemory
from tests.support.webhook_outside import URL, courier
from tests.support.webhook_outside import Receiver as Hooked
from trace_context import TraceContext
from tracing.destinations import Destination

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "a=1"}
OPEN = Destination(url="http://c", headers={}, content=frozenset({"inputs", "outputs"}))
SHUT = Destination(url="http://c", headers={})


@tool
def shout(word: str) -> str:
    """Say it louder."""
    return word.upper()


async def think(state: State) -> State:
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    call = {"name": "shout", "args": {"word": "w"}, "id": "c1"}
    answer = AIMessage(
        "hello",
        usage_metadata=usage,
        tool_calls=[call],
        response_metadata={"model_name": "m-1", "finish_reason": "stop"},
    )
    await GenericFakeChatModel(messages=iter([answer])).ainvoke([("system", "be kind"), ("user", "hi")])
    await shout.ainvoke({"type": "tool_call", **call})
    FakeListLLM(responses=["done"]).invoke("complete")
    return {"log": ["thought"]}


def agent() -> Any:
    inner = StateGraph(State)
    inner.add_node("deep", lambda state: {"log": ["deep"]})
    inner.add_edge(START, "deep")
    graph = StateGraph(State)
    graph.add_node("think", think)
    graph.add_node("child", inner.compile())
    graph.add_edge(START, "think")
    graph.add_edge("think", "child")
    return graph.compile()


class Traced:
    """A thread whose runs somebody hears of."""

    def __init__(self, thread: ThreadObjectInMemory, *destinations: Destination) -> None:
        self.thread = thread
        self.receiver = Receiver()
        self.way = Way(self.receiver, *destinations)
        graphs: dict[str, Any] = thread.api.registry.graphs
        graphs["agent"] = agent()
        thread.traces = self.way.exporter
        thread.incarnate()

    async def create(self, graph_id: str = "agent", *, headers: Mapping[str, str] = HEADERS, **body: Any) -> str:
        """A run whose caller is in a trace."""
        url = f"/threads/{self.thread.thread_id}/runs"
        body = {"assistant_id": graph_id, "input": {"topic": "t"}, **body}
        return (await self.thread.api.json("POST", url, body, status=202, **headers))["run_id"]

    async def spans(self) -> list[ReceivedSpan]:
        """What was sent so far."""
        await self.way.done()
        return [span for _, _, spans in self.receiver.requests for span in spans]


async def traced(*destinations: Destination) -> Traced:
    api = Api()
    return Traced(ThreadObjectInMemory(api, await api.new_thread()), *destinations)


def below(spans: list[ReceivedSpan], parent: str) -> set[str]:
    """The names of a span's children."""
    [found] = [span for span in spans if span.name == parent]
    return {span.name for span in spans if span.parent_id == found.span_id}


async def test_a_run_is_a_tree_below_its_callers_span() -> None:
    it = await traced(SHUT)
    run_id = await it.create()
    await it.thread.runner.work()
    spans = await it.spans()
    root = spans[-1]
    assert (root.name, root.parent_id, root.links) == ("invoke_agent agent", CALLER, ())
    assert {(span.trace_id, span.trace_state) for span in spans} == {(TRACE, "a=1")}
    # Only the run's own parent is known to be of another process.
    assert {span.flags for span in spans[:-1]} == {0x101}
    assert root.flags == 0x301
    assert below(spans, "invoke_agent agent") == {"think", "child"}
    assert below(spans, "think") == {"chat GenericFakeChatModel", "execute_tool shout", "text_completion FakeListLLM"}
    assert {span.name for span in spans if span.name == "deep"} == {"deep"}
    assert len({span.span_id for span in spans}) == len(spans)
    assert root.attributes == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "agent",
        "gen_ai.agent.id": root.attributes["gen_ai.agent.id"],
        "gen_ai.conversation.id": it.thread.thread_id,
        "superstep.run.id": run_id,
        "superstep.run.status": "success",
        "superstep.run.attempts": 1,
    }
    task = next(span for span in spans if span.name == "think")
    assert (task.attributes["langgraph.node"], task.attributes["langgraph.step"]) == ("think", 1)
    assert task.attributes["superstep.attempt"] == 1


async def test_a_call_of_a_model_says_what_it_used_and_not_what_was_said() -> None:
    it = await traced(SHUT)
    await it.create()
    await it.thread.runner.work()
    spans = await it.spans()
    model = next(span for span in spans if span.name.startswith("chat"))
    assert model.kind == 3
    assert model.attributes["gen_ai.operation.name"] == "chat"
    assert model.attributes["gen_ai.response.model"] == "m-1"
    assert model.attributes["gen_ai.response.finish_reasons"] == ["stop"]
    usage = [model.attributes[f"gen_ai.usage.{name}_tokens"] for name in ("input", "output")]
    assert usage == [3, 2]
    assert "be kind" not in str(spans)
    assert "hello" not in str(spans)


async def test_what_was_said_is_told_in_the_form_of_the_conventions() -> None:
    it = await traced(OPEN)
    await it.create()
    await it.thread.runner.work()
    spans = {span.name: span.attributes for span in await it.spans()}
    model = spans["chat GenericFakeChatModel"]
    assert json.loads(model["gen_ai.input.messages"]) == [
        {"role": "system", "parts": [{"type": "text", "content": "be kind"}]},
        {"role": "user", "parts": [{"type": "text", "content": "hi"}]},
    ]
    [answer] = json.loads(model["gen_ai.output.messages"])
    assert answer["role"] == "assistant"
    assert answer["parts"][0] == {"type": "text", "content": "hello"}
    assert (answer["parts"][1]["type"], answer["parts"][1]["name"]) == ("tool_call", "shout")
    called = spans["execute_tool shout"]
    assert json.loads(called["gen_ai.tool.call.arguments"]) == {"word": "w"}
    assert (json.loads(called["gen_ai.tool.call.result"]), called["gen_ai.tool.call.id"]) == ("W", "c1")
    assert json.loads(spans["invoke_agent agent"]["superstep.inputs"]) == {"topic": "t"}
    assert json.loads(spans["invoke_agent agent"]["superstep.outputs"])["log"] == ["thought", "thought", "deep"]


async def test_langsmith_gets_its_own_names_and_the_project_that_the_caller_wants() -> None:
    it = await traced(LANGSMITH)
    await it.create(langsmith_tracer={"project_name": "mine", "example_id": "e"})
    await it.thread.runner.work()
    spans = await it.spans()
    assert {span.attributes["langsmith.trace.session_name"] for span in spans} == {"mine"}
    kinds = {span.name: span.attributes["langsmith.span.kind"] for span in spans}
    assert kinds["chat GenericFakeChatModel"] == "llm"
    assert kinds["execute_tool shout"] == "tool"
    model = next(span for span in spans if span.name.startswith("chat"))
    assert json.loads(model.attributes["gen_ai.completion"])["messages"][0]["content"] == "hello"


async def test_a_run_is_a_root_in_langsmith_unless_another_run_is_its_caller() -> None:
    it = await traced(LANGSMITH)
    await it.create()
    await it.thread.runner.work()
    first = (await it.spans())[-1]
    assert (first.name, first.trace_id, first.parent_id) == ("invoke_agent agent", TRACE, "")
    with trace_context.within(TraceContext(trace_id=TRACE), first.span_id):
        caller = trace_context.outgoing()
    await it.create(headers=caller)
    await it.thread.runner.work()
    assert (await it.spans())[-1].parent_id == first.span_id


async def test_both_attempts_of_a_run_that_was_cut_off_are_in_its_trace() -> None:
    it = await traced(SHUT)
    at_second, released = asyncio.Event(), asyncio.Event()

    async def wait(state: State) -> State:
        at_second.set()
        await released.wait()
        return {"log": ["second"]}

    graph = StateGraph(State)
    graph.add_node("first", lambda state: {"log": ["first"]})
    graph.add_node("second", wait)
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    graphs: dict[str, Any] = it.thread.api.registry.graphs
    graphs["slow"] = graph.compile()
    await it.create("slow", durability="sync")
    lost = asyncio.ensure_future(it.thread.runner.work())
    await at_second.wait()
    it.way.exporter.flush()  # what a longer attempt does by itself
    it.thread.incarnate()
    released.set()
    await it.thread.runner.work()
    await lost
    spans = await it.spans()
    told = [(span.name, span.attributes.get("superstep.attempt")) for span in spans if span.name != "second"]
    assert told == [("first", 1), ("invoke_agent slow", None)]
    assert ("second", 2) in {(span.name, span.attributes.get("superstep.attempt")) for span in spans}
    assert {(span.trace_id, span.parent_id) for span in spans[:-1]} == {(TRACE, spans[-1].span_id)}
    assert spans[-1].attributes["superstep.run.attempts"] == 2


async def test_each_start_of_a_redriven_run_is_a_span_of_its_own() -> None:
    fragile, hooked = Fragile(), Hooked()
    it = Traced(await fragile.thread(), SHUT)
    run_id = await it.create("fragile", input={"log": []}, webhook=URL)
    for status in ("error", "error", "success"):
        fragile.outside.is_well = status == "success"
        for _ in range(0 if fragile.outside.is_well else SETTINGS.max_attempts):
            await fragile.kill(it.thread)
        await it.thread.runner.work()
        await courier(it.thread.api.db, hooked).deliver(run_id)
        await asyncio.sleep(0.002)  # the start of a run is known in milliseconds
        await fragile.redrive(run_id)
    spans = await it.spans()
    assert len({span.span_id for span in spans}) == len(spans)
    first, second, third = (span for span in spans if span.name == "invoke_agent fragile")
    assert [span.attributes["superstep.run.status"] for span in (first, second, third)] == ["error", "error", "success"]
    assert {(span.trace_id, span.parent_id) for span in (first, second, third)} == {(TRACE, CALLER)}
    assert (first.links, second.links, third.links) == ((), ((TRACE, first.span_id),), ((TRACE, first.span_id),))
    assert first.end_ns <= second.start_ns <= second.end_ns <= third.start_ns
    told = [webhook.headers["traceparent"] for webhook in hooked.received]
    assert told == [f"00-{TRACE}-{span.span_id}-01" for span in (first, second, third)]
    tasks = [(span.parent_id, span.name) for span in spans if span.status == 0 and span.parent_id != CALLER]
    assert tasks == [(first.span_id, "0"), (first.span_id, "1"), (third.span_id, "2"), (third.span_id, "3")]


async def test_a_redriven_run_that_is_cancelled_before_it_starts_is_a_span_since_its_redrive() -> None:
    fragile = Fragile()
    it = Traced(await fragile.thread(), SHUT)
    run_id = await fragile.give_up(it.thread)
    assert (await it.spans())[-1].attributes["superstep.run.status"] == "error"
    await asyncio.sleep(0.01)
    await fragile.redrive(run_id)
    await it.thread.runner.stop(run_id, "not wanted")
    await it.thread.runner.work()
    first, second = (span for span in await it.spans() if span.name == "invoke_agent fragile")
    assert second.attributes["superstep.run.status"] == "interrupted"
    assert second.links == ((first.trace_id, first.span_id),)
    assert second.span_id != first.span_id
    assert second.start_ns >= first.end_ns


async def test_requests_that_a_run_makes_are_below_its_span() -> None:
    it, made = await traced(SHUT), list[str]()

    def ask(_state: State) -> State:
        made.append(trace_context.outgoing()["traceparent"])
        return {}

    graphs: dict[str, Any] = it.thread.api.registry.graphs
    graphs["asker"] = StateGraph(State).add_node(ask).add_edge(START, "ask").compile()
    await it.create("asker")
    await it.thread.runner.work()
    root = (await it.spans())[-1]
    assert made == [f"00-{TRACE}-{root.span_id}-01"]


async def test_what_a_graph_raises_is_on_its_spans_and_an_interrupt_is_no_error() -> None:
    it = await traced(SHUT)
    await it.create("failure")
    await it.thread.runner.work()
    spans = {span.name: span for span in await it.spans()}
    for name in ("fail", "invoke_agent failure"):
        assert (spans[name].status, spans[name].message) == (2, "ValueError: boom")
        assert spans[name].attributes["error.type"] == "ValueError"
    await it.create("approval")
    await it.thread.runner.work()
    asked = {span.name: span.status for span in await it.spans()}
    assert (asked["ask"], asked["invoke_agent approval"]) == (0, 0)


async def test_a_run_that_is_stopped_is_in_its_trace_too() -> None:
    it = await traced(SHUT)
    run_id = await it.create(after_seconds=3600)
    await it.thread.runner.stop(run_id, "not wanted")
    await it.thread.runner.work()
    [span] = await it.spans()
    assert span.attributes["superstep.run.status"] == "interrupted"


async def test_a_run_that_is_stopped_while_another_executes_is_in_its_trace_too() -> None:
    fragile = Fragile()
    it = Traced(await fragile.thread(), SHUT)
    await it.create("fragile", input={"log": []})
    working = asyncio.ensure_future(it.thread.runner.work())
    await fragile.outside.reached.wait()
    await it.thread.runner.stop(await it.create(multitask_strategy="enqueue"), "not wanted")
    assert (await it.spans())[-1].attributes["superstep.run.status"] == "interrupted"
    working.cancel()
    await asyncio.wait({working})


async def test_the_spans_of_a_slice_are_sent_when_it_is_over() -> None:
    api = Api()
    it = Traced(ThreadObjectInMemory(api, await api.new_thread(), Settings(slice_supersteps=1)), SHUT)
    await it.create("sequence")
    await it.thread.runner.work()
    assert {span.name for span in await it.spans()} == {"plan"}
    assert it.thread.workflows.started


@pytest.mark.parametrize("status", ["interrupted", "rollback", "timeout"])
async def test_what_is_at_work_when_a_run_is_stopped_is_in_its_trace_too(status: str) -> None:
    api = Api()
    settings = Settings(bg_job_timeout_secs=1 if status == "timeout" else 60)
    it, called = Traced(ThreadObjectInMemory(api, await api.new_thread(), settings), SHUT), asyncio.Event()

    @tool
    async def wait(word: str) -> str:
        """Take for ever."""
        await FakeListLLM(responses=["done"]).ainvoke(word)
        called.set()
        return await asyncio.Event().wait() or ""

    async def act(_state: State) -> State:
        return {"log": [await wait.ainvoke({"word": "w"})]}

    graphs: dict[str, Any] = it.thread.api.registry.graphs
    graphs["waiting"] = StateGraph(State).add_node(act).add_edge(START, "act").compile()
    run_id = await it.create("waiting")
    working = asyncio.ensure_future(it.thread.runner.work())
    await called.wait()
    if status != "timeout":
        action = "interrupt" if status == "interrupted" else status
        url = f"/threads/{it.thread.thread_id}/runs/{run_id}/cancel?action={action}"
        await it.thread.api.json("POST", url, status=202)
        await it.thread.runner.wake()
    await working
    spans = await it.spans()
    names = ["text_completion FakeListLLM", "execute_tool wait", "act", "invoke_agent waiting"]
    assert [span.name for span in spans] == names
    assert [span.parent_id for span in spans] == [*(span.span_id for span in spans[1:]), CALLER]
    assert spans[-1].attributes["superstep.run.status"] == status
    assert spans[-1].status == (2 if status == "timeout" else 0)


async def test_nothing_is_recorded_that_the_caller_does_not_record() -> None:
    it = await traced(OPEN)
    body = {"assistant_id": "agent", "input": {"topic": "t"}}
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-00"}
    await it.thread.api.json("POST", f"/threads/{it.thread.thread_id}/runs", body, status=202, **headers)
    await it.thread.runner.work()
    assert await it.spans() == []


@pytest.mark.parametrize("modes", [["events"], ["values", "messages"]])
async def test_every_way_of_streaming_is_recorded_alike(modes: list[str]) -> None:
    it = await traced(SHUT)
    await it.create(stream_mode=modes)
    await it.thread.runner.work()
    assert below(await it.spans(), "invoke_agent agent") == {"think", "child"}
