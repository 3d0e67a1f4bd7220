"""The paths of a thread's object."""

from hypothesis import given
from hypothesis import strategies as st

from runs.thread_object.object_paths import FollowRequest, RunRequest, build, parse, response_headers

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    joins=st.booleans(),
    cancel=st.booleans(),
    kind=st.sampled_from(["stream", "wait"]),
    modes=st.lists(texts).map(tuple),
    last=st.none() | texts,
    location=texts,
)
def test_parsing_is_the_inverse_of_building(joins, cancel, kind, modes, last, location) -> None:
    request = RunRequest(
        run_id="01a1fc38-bac8-73bd-9840-52a73de7308f",
        kind=kind,
        joins=joins,
        stream_modes=modes,
        last_event_id=last,
        cancel_on_disconnect=cancel,
        location=location,
        content_location="/runs/x",
    )
    assert parse(build(request)) == request
    assert parse("http://thread" + build(request)) == request


@given(kind=st.sampled_from(["stream", "events", "socket"]), options=texts, hidden=st.booleans())
def test_parsing_is_the_inverse_of_building_for_followers(kind, options, hidden) -> None:
    request = FollowRequest(kind=kind, options=options, is_hidden=hidden)
    assert parse("http://thread" + build(request)) == request


def test_a_header_that_is_no_text_makes_a_path_all_the_same() -> None:
    request = RunRequest(run_id="r", kind="wait", last_event_id="\ud800", location="/l", content_location="/c")
    assert parse(build(request)).last_event_id == "?"


def test_the_answer_says_what_it_is_and_where_it_can_be_asked_for_again() -> None:
    stream = RunRequest(run_id="r", kind="stream", location="/l", content_location="/c")
    assert response_headers(stream) == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "connection": "keep-alive",
        "x-accel-buffering": "no",
        "location": "/l",
        "content-location": "/c",
    }
    wait = RunRequest(run_id="r", kind="wait", location="/l", content_location="/c")
    assert response_headers(wait)["content-type"] == "application/json"
