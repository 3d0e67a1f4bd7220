"""What the differential test treats as equal, and what not."""

from typing import Any

import pytest

from tools.differential.comparison import MISSING, differences
from tools.differential.declaration import Declared
from tools.differential.normal_form import NormalExchange, normal_form
from tools.differential.recording import Exchange, frames

ONE, TWO = "01a1fc38-bac6-77c8-a657-6023b3b0be8a", "01a1fc38-bac8-73bd-9840-52a73de7308f"
OTHER_ONE, OTHER_TWO = "7a62baa5-c934-5e7a-bf14-83aef6ffc143", "05aba144-f405-553c-afd1-8aa6d1a597db"


def exchange(body: Any, path: str = "/threads", status: int = 200) -> NormalExchange:
    return NormalExchange("POST /threads", f"POST {path}", "", status, {}, body)


def found(reference: list[NormalExchange], superstep: list[NormalExchange]) -> list[tuple[str, Any, Any]]:
    return [(each.at, each.reference, each.superstep) for each in differences("s", reference, superstep)]


def test_ids_that_always_stand_at_the_same_places_are_equal() -> None:
    reference = [exchange({"a": ONE, "b": [ONE, f"child:{TWO}"]}), exchange({TWO: 1}, path=f"/threads/{ONE}")]
    superstep = [
        exchange({"a": OTHER_ONE, "b": [OTHER_ONE, f"child:{OTHER_TWO}"]}),
        exchange({OTHER_TWO: 1}, path=f"/threads/{OTHER_ONE}"),
    ]
    assert found(reference, superstep) == []


def test_an_id_at_the_wrong_place_is_a_difference() -> None:
    assert found([exchange([ONE, ONE])], [exchange([OTHER_ONE, OTHER_TWO])]) == [("body.*", "<id>", "<id>")]
    assert found([exchange([ONE, TWO])], [exchange([OTHER_ONE, OTHER_ONE])]) == [("body.*", "<id>", "<id>")]


def test_ids_that_are_keys_meet_by_what_is_behind_them() -> None:
    reference = [exchange({ONE: ["first?"], TWO: ["second?"]}), exchange([ONE, TWO])]
    for first, second in ((OTHER_ONE, OTHER_TWO), (OTHER_TWO, OTHER_ONE)):
        behind = {first: ["first?"], second: ["second?"]}
        for body in (behind, dict(reversed(behind.items()))):
            assert found(reference, [exchange(body), exchange([first, second])]) == []
        assert found(reference, [exchange(behind), exchange([second, first])]) == [("body.*", "<id>", "<id>")] * 2
        other = [exchange({first: ["first?"], second: ["third?"]}), exchange([first, second])]
        assert found(reference, other) == [("body.<id>.*", "second?", "third?")]


@pytest.mark.parametrize(
    ("reference", "superstep", "difference"),
    [
        ({"a": 1}, {"a": 2}, ("body.a", 1, 2)),
        ({"a": 1}, {"a": True}, ("body.a", 1, True)),
        ({"a": None}, {}, ("body.a", None, MISSING)),
        ({}, {"a": None}, ("body.a", MISSING, None)),
        ([1, 2], [1], ("body.length", 2, 1)),
        ([{"event": "a"}, {"event": "b"}], [{"event": "b"}, {"event": "a"}], ("body.events", ["a", "b"], ["b", "a"])),
        ([{"event": "a", "data": 1}], [{"event": "a", "data": 2}], ("body.a.data", 1, 2)),
    ],
)
def test_what_differs_is_named_by_its_place(reference: Any, superstep: Any, difference: tuple[str, Any, Any]) -> None:
    assert found([exchange(reference)], [exchange(superstep)]) == [difference]


def test_another_status_hides_another_body() -> None:
    assert found([exchange({"a": 1})], [exchange({"b": 1}, status=404)]) == [("status", 200, 404)]


def test_a_script_that_goes_another_way_is_compared_up_to_there() -> None:
    asked = [exchange({}), exchange({}, path="/a")]
    assert found(asked, [exchange({})]) == [("request", "POST /a", MISSING)]
    assert found(asked, [exchange({}), exchange({"x": 1}, path="/b")]) == [("request", "POST /a", "POST /b")]


def test_times_and_wording_are_not_compared_but_schedules_are() -> None:
    body = b'{"created_at":"2026-11-21T03:44:38.627217+00:00","next_run_date":"2027-01-01T00:00:00+00:00"}'
    sent = Exchange("GET", "/x", "", 200, {"content-type": "application/json"}, bytearray(body))
    normal = normal_form(sent, "http://host")
    assert normal.body == {"created_at": "<time>", "next_run_date": "2027-01-01T00:00:00+00:00"}
    refusal = Exchange("GET", "/x", "", 404, {"content-type": "application/json"}, bytearray(b'{"detail":"No."}'))
    assert normal_form(refusal, "http://host").body == {"detail": "<wording>"}


def test_frames_keep_their_fields_and_lose_comments() -> None:
    text = 'event: a\r\ndata: {"x":1}\r\nid: 5\r\n\r\n: heartbeat\r\n\r\nevent: b\r\ndata: "cut'
    assert frames(text) == [{"event": "a", "data": {"x": 1}, "id": "5"}]


def test_a_declaration_covers_no_more_than_it_says() -> None:
    declared = Declared(
        operations=("POST /threads",), at=("body.*.id",), lacking="reference", reference="", superstep="", reason=""
    )
    [extra] = differences("s", [exchange([{}])], [exchange([{"id": 1}])])
    [missing] = differences("s", [exchange([{"id": 1}])], [exchange([{}])])
    assert declared.covers(extra)
    assert not declared.covers(missing)
