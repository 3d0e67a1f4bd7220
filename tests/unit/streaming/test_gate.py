"""When each event may be shown."""

from streaming.events import Delivery, Event, Superstep
from streaming.gate import Gate


def record(name: str, step: int, namespace: str = "", root_step: int | None = None) -> Event:
    return Event(name, "", Superstep(namespace, step, step if root_step is None else root_step), Delivery.RECORD)


def live(name: str, step: int) -> Event:
    return Event(name, "", Superstep("", step, step), Delivery.LIVE)


def test_a_record_waits_for_its_super_step() -> None:
    gate, update = Gate(), record("updates", 1)
    assert gate.admit(update) == []
    gate.close("", 1)
    assert gate.commit("", 0) == []
    assert gate.commit("", 1) == [update]


def test_what_is_committed_already_passes() -> None:
    gate = Gate()
    gate.commit("", 1)
    assert gate.admit(record("updates", 1)) == [record("updates", 1)]


def test_tokens_pass_what_waits_in_the_same_super_step() -> None:
    gate, token = Gate(), live("messages", 1)
    gate.admit(record("updates", 1))
    assert gate.admit(token) == [token]


def test_tokens_that_wait_belong_to_what_their_task_did() -> None:
    gate = Gate()
    gate.admit(record("updates", 1))
    gate.close("", 1)
    for event in (live("messages", 2), record("updates", 2)):
        gate.admit(event)
    assert gate.adopt("", "of the step before", 1) == set()
    assert gate.adopt("", "a", 2) == {Superstep("", 2, 2)}
    assert gate.adopt("", "beside a", 2) == set()
    ended, token = gate.up_to_task("a")
    assert ended == record("updates", 1)
    assert (token.name, token.superstep) == ("messages", Superstep("", 2, 2, "a", live=True))
    assert gate.commit("", 1) == [record("updates", 1), token]


def test_everything_waits_behind_what_a_command_has_changed() -> None:
    gate, token = Gate(), live("messages", 1)
    changed = Event("values", "", Superstep("", 1, 1, "a command"), Delivery.SNAPSHOT)
    assert gate.admit(changed) == gate.admit(token) == []
    assert gate.commit_task("a command") == [changed, token]


def test_tokens_of_the_next_super_step_wait_behind_the_one_before() -> None:
    gate = Gate()
    first, token, second = record("updates", 1), live("messages", 2), record("updates", 2)
    gate.admit(first)
    gate.close("", 1)
    assert gate.admit(token) == gate.admit(second) == []
    assert gate.commit("", 1) == [first, token]
    assert gate.open() == [second]


def test_a_subgraph_is_shown_as_it_commits_but_never_before_what_came_first() -> None:
    gate = Gate()
    root, inner = record("values", 1), record("values|child", 0, "child", 2)
    gate.admit(root)
    gate.close("", 1)
    gate.admit(inner)
    gate.close("child", 0)
    assert gate.commit("child", 0) == []
    assert gate.commit("", 1) == [root, inner]


def test_a_subgraph_without_checkpoints_is_shown_with_the_super_step_around_it() -> None:
    gate, inner = Gate(), record("updates|child", 0, "child", 2)
    gate.admit(inner)
    assert gate.commit("", 1) == []
    assert gate.commit("", 2) == [inner]


def test_a_super_steps_own_snapshots_need_not_be_stored_before_its_commit() -> None:
    gate = Gate()
    snapshot = Event("values", "", Superstep("", 1, 1), Delivery.SNAPSHOT)
    gate.admit(record("updates", 1))
    gate.admit(snapshot)
    assert gate.waiting_besides("", 1) == [record("updates", 1)]
    assert gate.waiting_besides("", 2) == [record("updates", 1), snapshot]
