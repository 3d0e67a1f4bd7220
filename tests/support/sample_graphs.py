"""Graphs for unit tests: small, deterministic, and without ids that differ between two executions."""

import asyncio
import operator
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from langgraph.config import get_stream_writer
from langgraph.errors import NodeError
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.managed import RemainingSteps
from langgraph.types import Command, RetryPolicy, Send, interrupt

NODES = ("planner", "researcher", "writer", "editor")


class Sequence(TypedDict, total=False):
    """The state of the graphs in API.md's examples."""

    topic: str
    messages: Annotated[list[str], operator.add]


def sequence(executed: Counter[str] | None = None, nodes: tuple[str, ...] = NODES) -> Any:
    """Nodes in a row; each writes a custom event and appends a message. `executed` counts them."""
    builder = StateGraph(Sequence)

    def node(name: str) -> Any:
        async def act(state: Sequence) -> dict[str, Any]:
            if executed is not None:
                executed[name] += 1
            get_stream_writer()({"stage": name})
            return {"messages": [f"{name}:{state.get('topic')}"]}

        return act

    previous = START
    for name in nodes:
        builder.add_node(name, node(name))
        builder.add_edge(previous, name)
        previous = name
    builder.add_edge(previous, END)
    return builder.compile()


class Messages(TypedDict):
    """A part of `Sequence`."""

    messages: Annotated[list[str], operator.add]


def narrow_output() -> Any:
    """first → second, whose output is a part of their state."""
    builder = StateGraph(Sequence, output_schema=Messages)
    for name in ("first", "second"):
        builder.add_node(name, lambda _state, name=name: {"messages": [name]})
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    return builder.compile()


class Trail(TypedDict):
    """The state of a graph with a subgraph."""

    trail: Annotated[list[str], operator.add]


def narrow_subgraph() -> Any:
    """A graph whose only node is a graph that shows a part of its state."""
    builder = StateGraph(Sequence)
    builder.add_node("child", narrow_output())
    builder.add_edge(START, "child")
    return builder.compile()


def parent(**options: Any) -> Any:
    """before → child (sub1 → sub2) → after; `options` of `compile` are the child's."""

    def step(name: str) -> Any:
        async def act(state: Trail) -> dict[str, Any]:
            return {"trail": [name]}

        return act

    child = StateGraph(Trail)
    child.add_node("sub1", step("sub1"))
    child.add_node("sub2", step("sub2"))
    child.add_edge(START, "sub1")
    child.add_edge("sub1", "sub2")
    builder = StateGraph(Trail)
    builder.add_node("before", step("before"))
    builder.add_node("child", child.compile(**options))
    builder.add_node("after", step("after"))
    builder.add_edge(START, "before")
    builder.add_edge("before", "child")
    builder.add_edge("child", "after")
    return builder.compile()


def caller(*, hidden: bool = False, **options: Any) -> Any:
    """before → calls → after; "calls" executes a graph (first → second) twice, `hidden` from who looks at the node.

    It does so with `options`.
    """

    def step(name: str) -> Any:
        async def act(state: Trail) -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"trail": [name]}

        return act

    child, builder = StateGraph(Trail), StateGraph(Trail)
    for name in ("first", "second"):
        child.add_node(name, step(name))
    child.add_edge(START, "first")
    child.add_edge("first", "second")
    graph = child.compile()

    async def call(each: Any) -> dict[str, Any]:
        ended = [await each.ainvoke({"trail": [name]}, **options) for name in ("once", "twice")]
        return {"trail": [name for state in ended for name in state["trail"]]}

    async def calls(_state: Trail) -> dict[str, Any]:
        return await call(graph)

    async def calls_hidden(_state: Trail, graphs: Any = (graph,)) -> dict[str, Any]:
        return await call(graphs[0])

    builder.add_node("before", step("before"))
    builder.add_node("calls", calls_hidden if hidden else calls)
    builder.add_node("after", step("after"))
    builder.add_edge(START, "before")
    builder.add_edge("before", "calls")
    builder.add_edge("calls", "after")
    return builder.compile()


def crowd() -> Any:
    """Sends a task to a graph (first → second) for each name, beside a node of its own."""

    def step(name: str) -> Any:
        async def act(state: Trail) -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"trail": [name]}

        return act

    child = StateGraph(Trail)
    for name in ("first", "second"):
        child.add_node(name, step(name))
    child.add_edge(START, "first")
    child.add_edge("first", "second")
    builder = StateGraph(Trail)
    builder.add_node("child", child.compile())
    builder.add_node("beside", step("beside"))
    builder.add_node("after", step("after"))
    builder.add_edge(START, "beside")
    builder.add_conditional_edges(
        START, lambda state: [Send("child", {"trail": [name]}) for name in state["trail"]], ["child"]
    )
    builder.add_edge(["child", "beside"], "after")
    return builder.compile()


def asking_subgraph(*, twice: bool = False, checkpointer: bool | None = None) -> Any:
    """A graph (ask → publish, and then sure if it asks `twice`), then after; `checkpointer` is that of the graph."""

    def ask(question: str) -> Any:
        async def act(state: Trail) -> dict[str, Any]:
            return {"trail": [f"{question} {interrupt(question)}"]}

        return act

    async def publish(state: Trail) -> dict[str, Any]:
        return {"trail": ["published"]}

    child = StateGraph(Trail)
    child.add_sequence([("ask", ask("go on?")), ("publish", publish), *([("sure", ask("sure?"))] if twice else [])])
    child.add_edge(START, "ask")
    builder = StateGraph(Trail)
    builder.add_node("child", child.compile(checkpointer=checkpointer))
    builder.add_node("after", publish)
    builder.add_edge(START, "child")
    builder.add_edge("child", "after")
    return builder.compile()


def questions(executed: Counter[str] | None = None, checkpointer: bool | None = None) -> Any:
    """ask, beside quick and a graph (first → slow), which are done before and after it was asked; then after.

    `executed` counts all but the one that asks; `checkpointer` is that of the graph which is called.
    """
    counts = Counter[str]() if executed is None else executed

    def step(name: str, turns: int) -> Any:
        async def act(state: Trail) -> dict[str, Any]:
            counts[name] += 1
            for _ in range(turns):
                await asyncio.sleep(0)
            return {"trail": [name]}

        return act

    async def ask(state: Trail) -> dict[str, Any]:
        return {"trail": [interrupt("go on?")]}

    child = StateGraph(Trail)
    for name, turns in (("first", 0), ("slow", 60)):
        child.add_node(name, step(name, turns))
    child.add_edge(START, "first")
    child.add_edge("first", "slow")
    builder = StateGraph(Trail)
    builder.add_node("ask", ask)
    builder.add_node("quick", step("quick", 0))
    builder.add_node("child", child.compile(checkpointer=checkpointer))
    builder.add_node("after", step("after", 0))
    for name in ("ask", "quick", "child"):
        builder.add_edge(START, name)
    builder.add_edge(["ask", "quick", "child"], "after")
    return builder.compile()


def callers_that_ask(*, nested: bool = False) -> Any:
    """soon and later, side by side; each executes a graph and then asks. `nested`: all this is a node."""
    child, builder = StateGraph(Trail), StateGraph(Trail)
    child.add_node("first", lambda _: {"trail": ["first"]})
    child.add_edge(START, "first")
    called = child.compile()

    def asker(name: str, turns: int) -> Any:
        async def act(_state: Trail) -> dict[str, Any]:
            for _ in range(turns):
                await asyncio.sleep(0)
            await called.ainvoke({"trail": [name]})
            return {"trail": [f"{name}: {interrupt(name)}"]}

        return act

    for name, turns in (("soon", 0), ("later", 40)):
        builder.add_node(name, asker(name, turns))
        builder.add_edge(START, name)
    asking = builder.compile()
    if not nested:
        return asking
    around = StateGraph(Trail)
    around.add_node("asking", asking)
    around.add_edge(START, "asking")
    return around.compile()


class Draft(TypedDict, total=False):
    """The state of the graph that asks."""

    draft: str
    decision: Any
    log: Annotated[list[str], operator.add]


def hitl(executed: Counter[str] | None = None) -> Any:
    """draft_node → approve (asks twice when told to) → publish."""
    counts = Counter[str]() if executed is None else executed

    async def draft_node(state: Draft) -> dict[str, Any]:
        counts["draft_node"] += 1
        return {"draft": f"draft-{state['draft']}", "log": ["draft"]}

    async def approve(state: Draft) -> dict[str, Any]:
        counts["approve"] += 1
        decision = interrupt({"question": "approve?", "draft": state["draft"]})
        if decision in ("ask again", {"ask": "again"}):
            decision = [decision, interrupt({"question": "really?"})]
        return {"decision": decision, "log": ["approve"]}

    async def publish(state: Draft) -> dict[str, Any]:
        counts["publish"] += 1
        return {"log": ["publish"]}

    builder = StateGraph(Draft)
    for node in (draft_node, approve, publish):
        builder.add_node(node.__name__, node)
    builder.add_edge(START, "draft_node")
    builder.add_edge("draft_node", "approve")
    builder.add_edge("approve", "publish")
    return builder.compile()


class Countdown(Trail):
    """A `Trail`, and the super-steps that remain of the recursion limit."""

    remaining_steps: RemainingSteps


def countdown(ticks: int, *around: bool | None, executed: Counter[str] | None = None) -> Any:
    """tick, so often; notes the steps that remain. It is a node of a graph for each checkpointer of a child `around`.

    `executed` counts.
    """

    async def tick(state: Countdown) -> dict[str, Any]:
        if executed is not None:
            executed["tick"] += 1
        return {"trail": [str(state["remaining_steps"])]}

    builder = StateGraph(Countdown)
    builder.add_node("tick", tick)
    builder.add_edge(START, "tick")
    builder.add_conditional_edges("tick", lambda state: "tick" if len(state["trail"]) < ticks else END, ["tick", END])
    for checkpointer in around:
        child, builder = builder.compile(checkpointer=checkpointer), StateGraph(Trail)
        builder.add_sequence([("before", lambda _: {"trail": []}), ("child", child)])
        builder.add_edge(START, "before")
    return builder.compile()


def _talker(name: str, words: int, turns: int = 0) -> Any:
    """A node that says its name so often, takes so many turns of the event loop, and writes it into the state."""

    async def act(_state: Sequence) -> dict[str, Any]:
        say = get_stream_writer()
        for word in range(words):
            say(f"{name} {word}")
        for _ in range(turns):
            await asyncio.sleep(0)
        return {"messages": [name]}

    return act


def calling(**options: Any) -> Any:
    """both, which executes two graphs (first → second) at once, beside a node; then after. Each says six words.

    It executes them with `options`.
    """

    def child(name: str) -> Any:
        builder = StateGraph(Sequence)
        builder.add_sequence([(each, _talker(f"{name} {each}", 6)) for each in ("first", "second")])
        builder.add_edge(START, "first")
        return builder.compile()

    one, other, builder = child("one"), child("other"), StateGraph(Sequence)

    async def both(_state: Sequence) -> dict[str, Any]:
        ended = await asyncio.gather(*(each.ainvoke({"messages": []}, **options) for each in (one, other)))
        return {"messages": [message for state in ended for message in state["messages"]]}

    for name, action in (("both", both), ("beside", _talker("beside", 6, 40)), ("after", _talker("after", 6))):
        builder.add_node(name, action)
    builder.add_edge(START, "both")
    builder.add_edge(START, "beside")
    builder.add_edge(["both", "beside"], "after")
    return builder.compile()


def talkative(words: int = 1) -> Any:
    """slow, quick and child (first → second) side by side; each says its name so often, and slow takes longest."""
    child, builder = StateGraph(Sequence), StateGraph(Sequence)
    for name in ("first", "second"):
        child.add_node(name, _talker(name, words))
    child.add_edge(START, "first")
    child.add_edge("first", "second")
    slow, quick = _talker("slow", words, 60 + words), _talker("quick", words)
    for name, action in (("slow", slow), ("quick", quick), ("child", child.compile())):
        builder.add_node(name, action)
        builder.add_edge(START, name)
    return builder.compile()


def handled(*, beside: bool = True, by_default: bool = False, handle: Callable[[Sequence], Any] | None = None) -> Any:
    """A node that fails, and what handles that (for every node if `by_default`), `beside` a slow one."""

    async def bad(_state: Sequence) -> dict[str, Any]:
        raise ValueError("boom")

    async def say(_state: Sequence) -> dict[str, Any]:
        return {"messages": ["handled"]}

    builder = StateGraph(Sequence)
    if by_default:
        builder.set_node_defaults(error_handler=handle or say)
    builder.add_node("bad", bad, error_handler=None if by_default else handle or say)
    builder.add_edge(START, "bad")
    if beside:
        builder.add_node("slow", _talker("slow", 0, 60))
        builder.add_edge(START, "slow")
    return builder.compile()


class Refusal(ValueError):
    """An error of a graph's own."""

    def __init__(self, reason: str, *, code: int) -> None:
        super().__init__(f"refused: {reason}")
        self.code = code


def beside_a_subgraph(error: Exception | None) -> Any:
    """A subgraph of four super-steps beside a node that asks, or fails with `error`; its handler says what it got."""

    async def act(_state: Sequence) -> dict[str, Any]:
        if error is None:
            return {"messages": [interrupt("sure?")]}
        raise error

    async def handle(_state: Sequence, error: NodeError) -> dict[str, Any]:
        got = error.error
        return {"messages": [f"got {type(got).__name__} {got!r} {getattr(got, 'code', '')}"]}

    builder = StateGraph(Sequence)
    builder.add_node("act", act, error_handler=handle if error else None)
    builder.add_node("child", sequence())
    builder.add_edge(START, "act")
    builder.add_edge(START, "child")
    return builder.compile()


def handled_by_a_graph() -> Any:
    """A node that fails, alone, and what handles that by calling a graph."""
    graph = sequence(nodes=("planner", "writer"))

    async def handle(state: Sequence) -> Any:
        return await graph.ainvoke(state)

    return handled(beside=False, handle=handle)


def fan_out() -> Any:
    """Sends two tasks, of which the second may be told to fail; then goes to the end by Command."""

    async def work(state: dict[str, Any]) -> dict[str, Any]:
        if state.get("fail"):
            raise ValueError("boom")
        return {"trail": [state["name"]]}

    def dispatch(state: Trail) -> list[Send]:
        return [Send("work", {"name": name, "fail": name == "fail"}) for name in state["trail"]]

    async def end(state: Trail) -> Command[Any]:
        return Command(update={"trail": ["end"]}, goto=END)

    builder = StateGraph(Trail)
    builder.add_node("work", work)
    builder.add_node("end", end)
    builder.add_conditional_edges(START, dispatch, ["work"])
    builder.add_edge("work", "end")
    return builder.compile()


@task
async def double(number: int) -> int:
    """A task of functions."""
    await asyncio.sleep(0)
    return number * 2


def workflow() -> Any:
    """Three tasks, of which the second waits for nothing and the third for both."""

    @entrypoint()
    async def sums(numbers: list[int]) -> int:
        doubled = [await future for future in [double(number) for number in numbers]]
        return await double(sum(doubled))

    return sums


def asking_workflow() -> Any:
    """A task, a question, and the task again."""

    @entrypoint()
    async def doubled(number: int) -> str:
        once = await double(number)
        answer = interrupt("sure?")
        return f"{await double(once)} {answer}"

    return doubled


def asking_task() -> Any:
    """A function whose only task asks twice."""

    @task
    async def ask() -> list[str]:
        return [interrupt("first?"), interrupt("second?")]

    @entrypoint()
    async def main(_: None) -> dict[str, Any]:
        return {"trail": await ask()}

    return main


def hidden_asker() -> Any:
    """A node that executes a graph whose only node asks twice, of which LangGraph does not know."""

    async def ask(_: Trail) -> dict[str, Any]:
        return {"trail": [interrupt("first?"), interrupt("second?")]}

    child = StateGraph(Trail)
    child.add_node("ask", ask)
    child.add_edge(START, "ask")
    hidden = [child.compile()]

    async def call(state: Trail) -> dict[str, Any]:
        return await hidden[0].ainvoke({"trail": []})

    builder = StateGraph(Trail)
    builder.add_node("call", call)
    builder.add_edge(START, "call")
    return builder.compile()


def returning() -> Any:
    """come → knock → child (first → second), twice; the child remembers its first visit."""

    def step(name: str) -> Any:
        async def act(state: Trail) -> dict[str, Any]:
            return {"trail": [f"{name} of {len(state['trail'])}"]}

        return act

    child = StateGraph(Trail)
    child.add_node("first", step("first"))
    child.add_node("second", step("second"))
    child.add_edge(START, "first")
    child.add_edge("first", "second")
    builder = StateGraph(Visits)
    builder.add_node("come", lambda state: {"visits": state.get("visits", 0) + 1, "trail": []})
    builder.add_node("knock", lambda _: {"trail": ["knock"]})
    builder.add_node("child", child.compile(checkpointer=True))
    builder.add_edge(START, "come")
    builder.add_edge("come", "knock")
    builder.add_edge("knock", "child")
    builder.add_conditional_edges("child", lambda state: "come" if state["visits"] < 2 else END)
    return builder.compile()


def forgetful(checkpointer: bool | None = None) -> Any:
    """before → calls → after; "calls" is a graph without checkpoints, which executes a graph (first → second) twice.

    `checkpointer` is that of the graph which is called.
    """

    def step(name: str) -> Any:
        async def act(state: Trail) -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"trail": [f"{name} of {len(state['trail'])}"]}

        return act

    child, middle, builder = StateGraph(Trail), StateGraph(Trail), StateGraph(Trail)
    child.add_sequence([("first", step("first")), ("second", step("second"))])
    child.add_edge(START, "first")
    called = child.compile(checkpointer=checkpointer)

    async def call(_state: Trail) -> dict[str, Any]:
        ended = [await called.ainvoke({"trail": [name]}) for name in ("once", "twice")]
        return {"trail": [name for state in ended for name in state["trail"]]}

    middle.add_node("call", call)
    middle.add_edge(START, "call")
    builder.add_sequence([("before", step("before")), ("calls", middle.compile(checkpointer=False))])
    builder.add_sequence([("after", step("after"))])
    builder.add_edge(START, "before")
    builder.add_edge("calls", "after")
    return builder.compile()


def _host() -> Any:
    """greet → part; remembers all of its visitors."""

    def say(word: str) -> Any:
        async def act(state: Trail) -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"trail": [f"{word} {state['trail'][-1].split()[-1]}"]}

        return act

    child = StateGraph(Trail)
    child.add_sequence([("greet", say("hello")), ("part", say("bye"))])
    child.add_edge(START, "greet")
    return child.compile(checkpointer=True)


def visitors() -> Any:
    """Two tasks, one after the other, which call the same graph; it remembers the first."""
    host = _host()

    @task
    async def visit(name: str) -> list[str]:
        seen = (await host.ainvoke({"trail": [name]}))["trail"]
        await asyncio.sleep(0)
        return seen

    @entrypoint()
    async def visits(names: list[str]) -> list[list[str]]:
        return [await visit(name) for name in names]

    return visits


def queue_of_visitors() -> Any:
    """Sends a task for each name, which calls the same graph; it remembers those before."""
    host = _host()

    async def visit(state: dict[str, str]) -> dict[str, Any]:
        seen = (await host.ainvoke({"trail": [state["name"]]}))["trail"]
        return {"trail": [f"{state['name']}: {seen}"]}

    builder = StateGraph(Trail)
    builder.add_node("visit", visit)
    builder.add_conditional_edges(START, lambda state: [Send("visit", {"name": name}) for name in state["trail"]])
    return builder.compile()


def invited(is_heard: bool = False, checkpointer: bool | None = None) -> Any:
    """ask → open → visit; "visit" calls a graph that remembers its visitors, at the second try unless it `is_heard`."""
    tries = 0

    async def ask(state: Trail) -> dict[str, Any]:
        return {"trail": [f"{interrupt('who?')}-{len(state['trail'])}"]}

    async def visit(state: Trail) -> dict[str, Any]:
        nonlocal tries
        tries += 1
        if tries % 2 and not is_heard:
            raise ConnectionError("nobody heard that")
        seen = (await host.ainvoke({"trail": [state["trail"][-1]]}))["trail"]
        return {"trail": [str(seen)]}

    host, builder = _host(), StateGraph(Trail)
    builder.add_node("ask", ask)
    builder.add_node("open", lambda state: {"trail": [state["trail"][-1]]})
    builder.add_node("visit", visit, retry_policy=RetryPolicy(initial_interval=0.001, jitter=False))
    builder.add_edge(START, "ask")
    builder.add_edge("ask", "open")
    builder.add_edge("open", "visit")
    return builder.compile(checkpointer=checkpointer)


def rounds_of_visits() -> Any:
    """before → rounds → after; "rounds" is a graph without checkpoints, which calls one that remembers, twice."""
    host = _host()

    async def visit(state: Visits) -> dict[str, Any]:
        number = state.get("visits", 0) + 1
        seen = (await host.ainvoke({"trail": [f"visitor-{number}"]}))["trail"]
        return {"visits": number, "trail": [str(seen)]}

    def say(word: str) -> Any:
        async def act(_state: Visits) -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"trail": [word]}

        return act

    rounds, builder = StateGraph(Visits), StateGraph(Visits)
    rounds.add_node("visit", visit)
    rounds.add_node("rest", say("rest"))
    rounds.add_edge(START, "visit")
    rounds.add_edge("visit", "rest")
    rounds.add_conditional_edges("rest", lambda state: "visit" if state["visits"] < 2 else END)
    for name, action in (("before", say("before")), ("rounds", rounds.compile(checkpointer=False))):
        builder.add_node(name, action)
    builder.add_node("after", say("after"))
    builder.add_edge(START, "before")
    builder.add_edge("before", "rounds")
    builder.add_edge("rounds", "after")
    return builder.compile()


class Visits(Trail, total=False):
    """A `Trail`, and how many visits to a graph it has."""

    visits: int
