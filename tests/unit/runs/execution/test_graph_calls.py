"""What the calls of graphs are told apart by."""

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage

from runs.execution.graph_calls import Calls


def name(called_with: Any) -> int:
    return Calls("node:task").begin(called_with)


def test_a_call_is_named_by_what_it_is_called_with() -> None:
    words = [
        "a",
        "b",
        {"trail": ["a"]},
        {"trail": ["b"]},
        {"trail": "a"},
        {"seen": ["a"]},
        {"id": 1},
        {"id": 2},
        ["a", "a"],
        1,
        1.5,
        None,
        b"a",
    ]
    messages = [HumanMessage("a"), HumanMessage("b"), AIMessage("a"), [HumanMessage("a"), AIMessage("a")]]
    assert len({name(each) for each in (*words, *messages)}) == len(words) + len(messages)


def test_the_ids_that_langgraph_gives_to_messages_do_not_matter() -> None:
    assert name([HumanMessage("a", id="1")]) == name([HumanMessage("a", id="2")]) == name([HumanMessage("a")])


def test_no_state_is_too_large_or_too_deep() -> None:
    endless: list[Any] = []
    endless.append(endless)
    wide = {str(key): {"value": [key] * 1000} for key in range(1000)}
    assert len({name(each) for each in (endless, [endless, endless], wide)}) == 3


def test_calls_have_the_numbers_of_what_they_had_stored() -> None:
    before = Calls("node:task")
    first, second, third = (before.begin(word) for word in "abc")
    after = Calls("node:task", stored={0: first, 1: second})
    new = after.begin("d")
    assert after.placed(new, 0) == (new, 2)
    assert after.placed(after.begin("b"), 1) == (second, 1)
    assert after.placed(after.begin("a"), 2) == (first, 0)
    assert after.placed(third, 3) == (third, 3)


def test_a_call_after_others_were_over_is_told_by_its_order() -> None:
    before = Calls("node:task")
    stored = dict[int, int]()
    for number in range(2):
        stored[number] = before.begin(f"at {number} o'clock")
        before.end()
    after = Calls("node:task", stored=stored)
    assert [after.placed(after.begin("at noon"), number)[0] for number in range(2)] == list(stored.values())
