"""`GET …/timeline`: the events of a run."""

from html.parser import HTMLParser
from typing import Any

import pytest
from langgraph.checkpoint.base.id import uuid6
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

import clock
from http_messages import HttpResponse
from settings import Settings
from tables import run_checkpoints, webhooks
from tests.support.http_api import Api, State
from tests.support.thread_object_in_memory import ThreadObjectInMemory

OF_A_SEQUENCE = [
    ("input", -1, None),
    ("superstep", 0, ["__start__"]),
    ("superstep", 1, ["plan"]),
    ("superstep", 2, ["write"]),
]


@pytest.fixture
async def thread() -> ThreadObjectInMemory:
    api = Api()
    return ThreadObjectInMemory(api, await api.new_thread())


async def timeline(thread: ThreadObjectInMemory, run_id: str, query: str = "") -> dict[str, Any]:
    before = thread.api.db.round_trips
    told = await thread.api.json("GET", f"/threads/{thread.thread_id}/runs/{run_id}/timeline{query}")
    assert thread.api.db.round_trips - before == 1
    return told


def names(told: dict[str, Any]) -> list[str]:
    return [event["event"] for event in told["events"]]


def committed(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [event for event in told["events"] if event["event"] in ("input", "superstep")]


def checkpoints(told: dict[str, Any]) -> list[tuple[str, int, list[str] | None]]:
    return [(event["event"], event["step"], event.get("nodes")) for event in committed(told)]


async def test_a_run_tells_its_life_step_by_step(thread: ThreadObjectInMemory) -> None:
    run_id = await thread.create(input={"topic": "t"})
    await thread.runner.work()
    told = await timeline(thread, run_id)
    assert names(told) == ["accepted", "started", "input", "superstep", "superstep", "superstep", "ended"]
    assert checkpoints(told) == OF_A_SEQUENCE
    accepted, started, *_, ended = told["events"]
    assert accepted["multitask_strategy"] == "enqueue"
    assert {"request_id", "trace_id"} < set(accepted)
    assert (started["attempt"], started["version"]) == (1, "test")
    assert (ended["status"], ended["attempt"], ended["version"]) == ("success", 1, "test")
    assert (told["graph_id"], told["status"], told["next"]) == ("sequence", "success", None)
    assert told["ended_at"] == ended["at"]
    assert all(event["seconds"] >= 0 for event in told["events"])
    ids = [event["checkpoint_id"] for event in committed(told)]
    history = await thread.api.json("GET", f"/threads/{thread.thread_id}/history?limit=9")
    assert ids[::-1] == [state["checkpoint_id"] for state in history]


async def test_runs_before_and_after_it_are_not_in_it(thread: ThreadObjectInMemory) -> None:
    ids = [await thread.create(input={"topic": "t"}) for _ in range(3)]
    await thread.runner.work()
    told = await timeline(thread, ids[1])
    assert [step for _, step, _ in checkpoints(told)] == [3, 4, 5, 6]


async def test_a_run_that_was_cut_off_shows_both_attempts_and_every_super_step_once() -> None:
    api = Api()
    thread = ThreadObjectInMemory(api, await api.new_thread(), Settings(slice_supersteps=2))
    run_id = await thread.create(input={"topic": "t"}, durability="sync")
    await thread.runner.work()
    assert names(await timeline(thread, run_id)) == ["accepted", "started", "input", "superstep", "handed_over"]
    thread.incarnate()
    await thread.runner.work()
    told = await timeline(thread, run_id)
    assert names(told)[4:7] == ["handed_over", "resumed", "superstep"]
    resumed = told["events"][5]
    assert (resumed["cause"], resumed["attempt"]) == ("cut_off", 2)
    assert resumed["checkpoint_id"] == told["events"][3]["checkpoint_id"]
    assert checkpoints(told)[:3] == OF_A_SEQUENCE[:3]
    assert [event["attempt"] for event in committed(told)] == [1, 1, 2, 2][: len(checkpoints(told))]


async def test_what_a_run_waits_for_and_where_it_failed(thread: ThreadObjectInMemory) -> None:
    asks = await thread.create("approval", input={"topic": "t"})
    await thread.runner.work()
    *_, interrupted, ended = (await timeline(thread, asks))["events"]
    assert (interrupted["event"], interrupted["nodes"], interrupted["tasks"]) == ("interrupted", ["ask"], 1)
    assert ended["event"] == "ended"
    answers = await thread.create("approval", command={"resume": "yes"})
    fails = await thread.create("failure", input={"topic": "t"})
    await thread.runner.work()
    told = await timeline(thread, answers)
    assert names(told) == ["accepted", "started", "superstep", "ended"]
    assert checkpoints(told) == [("superstep", 1, ["ask"])]
    *_, failed, ended = (await timeline(thread, fails))["events"]
    assert (failed["event"], failed["nodes"]) == ("failed", ["fail"])
    assert ended["error"] == {"error": "ValueError", "message": "boom"}
    assert "interrupted" in names(await timeline(thread, asks))


async def test_tasks_that_were_sent_are_counted(thread: ThreadObjectInMemory) -> None:
    graph = StateGraph(State)
    graph.add_node("plan", lambda state: {"log": ["plan"]})
    graph.add_node("work", lambda state: {"log": ["work"]})
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", lambda state: [Send("work", state) for _ in range(3)], ["work"])
    graph.add_edge("work", END)
    thread.api.registry.graphs["spread"] = graph.compile()
    run_id = await thread.create("spread", input={"topic": "t"})
    await thread.runner.work()
    last = [event for event in (await timeline(thread, run_id))["events"] if event["event"] == "superstep"][-1]
    assert (last["nodes"], last["tasks"]) == ([], 3)


async def test_pages_make_up_the_whole(thread: ThreadObjectInMemory) -> None:
    ids = [await thread.create(input={"topic": "t"}) for _ in range(3)]
    await thread.runner.work()
    whole = await timeline(thread, ids[1])
    for limit in (1, 2, 3):
        events: list[Any] = []
        after = ""
        while True:
            page = await timeline(thread, ids[1], f"?limit={limit}{after}")
            assert len(committed(page)) <= limit
            events += page["events"]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert events == whole["events"]


async def test_a_run_that_waits_tells_until_when(thread: ThreadObjectInMemory) -> None:
    run_id = await thread.create(after_seconds=60)
    told = await timeline(thread, run_id)
    assert names(told) == ["accepted", "due"]
    assert told["events"][1]["seconds"] == pytest.approx(60, abs=1)
    assert (told["started_at"], told["ended_at"]) == (None, None)
    await thread.runner.stop(run_id, "nobody wants it")
    assert names(await timeline(thread, run_id)) == ["accepted", "stop_requested"]
    await thread.runner.work()
    told = await timeline(thread, run_id)
    assert names(told) == ["accepted", "stop_requested", "started", "ended"]
    assert (told["events"][1]["action"], told["events"][2]["cause"]) == ("interrupt", "stop")
    assert told["events"][3]["error"]["message"] == "nobody wants it"


@pytest.mark.parametrize("status", ["running", "success"])
async def test_a_row_without_a_history_tells_what_it_knows(thread: ThreadObjectInMemory, status: str) -> None:
    run_id = await thread.create(input={"topic": "t"})
    await thread.runner.work()
    thread.api.db.connection.execute("UPDATE runs SET history = NULL, status = ?", (status,))
    told = await timeline(thread, run_id)
    end = ["ended"] if status == "success" else []
    assert names(told) == ["accepted", "started", "input", "superstep", "superstep", "superstep", *end]


async def test_a_run_that_is_driven_again_tells_of_both_ends(thread: ThreadObjectInMemory) -> None:
    run_id = await thread.create(input={"topic": "t"})
    await thread.runner.work()
    other = await thread.create(input={"topic": "t"})
    await thread.runner.work()
    redriven = f'{{"at":"{clock.now_iso()}","event":"redriven","attempt":1}}'
    thread.api.db.connection.execute(
        "UPDATE runs SET status = 'pending', history = json_insert(history, '$[#]', json(?)) WHERE run_id = ?",
        (redriven, run_id),
    )
    assert names(await timeline(thread, run_id))[-2:] == ["ended", "redriven"]
    assert [step for _, step, _ in checkpoints(await timeline(thread, run_id))] == [-1, 0, 1, 2]
    assert [step for _, step, _ in checkpoints(await timeline(thread, other))] == [3, 4, 5, 6]


async def test_what_came_of_the_webhook_is_in_it(thread: ThreadObjectInMemory) -> None:
    run_id = await thread.create(input={"topic": "t"}, webhook="https://hooks.example.com/")
    await thread.runner.work()
    assert names(await timeline(thread, run_id))[-2:] == ["ended", "webhook_due"]
    now = clock.now_iso()
    [webhook] = await webhooks.take(thread.api.db, run_id, due_by=now, until=clock.shifted(now, 60), now=now)
    later = clock.shifted(now, 5)
    await thread.api.db.batch([webhooks.postpone(webhook, '{"status":500}', due_at=later)])
    *_, ended, sent, due = (await timeline(thread, run_id))["events"]
    assert (ended["event"], sent["event"], due["event"]) == ("ended", "webhook_sent", "webhook_due")
    assert (sent["at"], sent["response_status"], sent["delivery_id"]) == (now, 500, webhook.delivery_id)
    assert due["at"] == later


async def test_a_page_reads_no_checkpoints_but_its_own(thread: ThreadObjectInMemory) -> None:
    """However long the run is, and whatever came before and after it on its thread."""
    steps: list[int] = []
    for length in (20, 2000):
        run_id, first = await thread.create(), clock.now_iso()
        made = [str(uuid6()) for _ in range(length)]
        thread.api.db.connection.executemany(
            "INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id, format, checkpoint, metadata)"
            " VALUES (?, '', ?, 1, '{}', json_object('run_id', ?, 'step', ?))",
            [(thread.thread_id, checkpoint_id, run_id, step) for step, checkpoint_id in enumerate(made)],
        )
        thread.api.db.connection.execute(
            "UPDATE runs SET status = 'success', started_at = ?, updated_at = ? WHERE run_id = ?",
            (first, clock.now_iso(), run_id),
        )
        work: list[int] = []
        thread.api.db.connection.set_progress_handler(lambda work=work: work.append(1), 10)
        [found, _] = await thread.api.db.batch(
            run_checkpoints.select_page(thread.thread_id, run_id, start=made[5], limit=10)
        )
        thread.api.db.connection.set_progress_handler(None, 0)
        assert [row["checkpoint_id"] for row in found] == made[5:15]
        steps.append(len(work))
    assert steps[1] < steps[0] * 1.5


async def test_what_does_not_exist_has_no_timeline(thread: ThreadObjectInMemory) -> None:
    run_id, unknown = await thread.create(), "11111111-1111-4111-8111-111111111111"
    api = thread.api
    assert await api.detail("GET", f"/threads/{thread.thread_id}/runs/{unknown}/timeline", status=404) == "Not Found"
    await api.detail("GET", f"/threads/{unknown}/runs/{run_id}/timeline", status=404)
    for wrong in ("limit=0", "limit=1001", "format=xml"):
        detail = await api.detail("GET", f"/threads/{thread.thread_id}/runs/{run_id}/timeline?{wrong}", status=422)
        assert detail.startswith(wrong.partition("=")[0])
    assert await api.detail("GET", f"/threads/{thread.thread_id}/runs/{run_id}/timeline?after=x", status=422) == (
        "Invalid checkpoint ID: must be a UUID"
    )


class Page(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert all(name in ("class", "style", "title", "lang", "charset", "href") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_people_get_a_picture(thread: ThreadObjectInMemory) -> None:
    run_id = await thread.create(input={"topic": "t"})
    await thread.runner.work()
    hostile = "<script>alert(1)</script>&\"'"
    thread.api.db.connection.execute(
        "UPDATE runs SET status = 'error', error = json_object('error', 'E', 'message', ?)", (hostile,)
    )
    url = f"/threads/{thread.thread_id}/runs/{run_id}/timeline"
    for query, accept in (("?format=html", "*/*"), ("", "text/html,*/*"), ("?limit=1&format=html", "*/*")):
        answer = await thread.api.ask("GET", url + query, headers={"accept": accept})
        assert isinstance(answer, HttpResponse)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        page = Page(answer.body)
        assert "script" not in page.tags
        told = await timeline(thread, run_id, query.replace("format=html", "format=json") or "?format=json")
        assert page.tags.count("tr") == len(told["events"])
        assert (hostile in page.text) == (told["next"] is None)
        assert ("a" in page.tags) == (told["next"] is not None)
    as_json = await thread.api.ask("GET", f"{url}?format=json", headers={"accept": "text/html"})
    assert isinstance(as_json, HttpResponse)
    assert as_json.headers["content-type"] == "application/json"


async def test_the_picture_of_a_run_that_goes_on_ends_now(thread: ThreadObjectInMemory) -> None:
    run_id = await thread.create(after_seconds=3600)
    answer = await thread.api.ask("GET", f"/threads/{thread.thread_id}/runs/{run_id}/timeline?format=html")
    assert isinstance(answer, HttpResponse)
    assert "<td>now" in answer.body
