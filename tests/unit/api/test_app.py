"""What holds for every request, whatever its route."""

import json

import pytest

from errors import DatabaseError, GraphLoadError
from http_messages import HttpResponse
from settings import Settings
from tests.support.http_api import Api


@pytest.fixture
def api() -> Api:
    return Api()


async def test_an_unknown_route_is_404(api: Api) -> None:
    for path in ("/nowhere", "/threads/x/runs/y/profile", "/ok/ok", "/threads//state", "/internal/truncate"):
        assert await api.detail("GET", path, status=404) == "Not Found"


async def test_a_known_path_with_another_method_is_405_and_says_which_it_has(api: Api) -> None:
    answer = await api.ask("GET", "/threads")
    assert isinstance(answer, HttpResponse)
    assert (answer.status, json.loads(answer.body)) == (405, {"detail": "Method Not Allowed"})
    assert answer.headers["allow"] == "POST"
    assert (await api.ask("BREW", "/ok")).status == 405


async def test_a_trailing_slash_redirects_with_the_query(api: Api) -> None:
    answer = await api.ask("POST", "/threads/search/?a=1&a=%20", {})
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.headers["location"]) == (307, "/threads/search?a=1&a=+")
    assert (await api.ask("GET", "/nowhere/")).status == 404


async def test_a_literal_segment_wins_over_a_parameter(api: Api) -> None:
    assert await api.json("POST", "/threads/search", {}) == []
    assert await api.detail("GET", "/threads/search/state", status=422) == "Invalid thread ID: must be a UUID"


@pytest.mark.parametrize("path", ["/threads/abc", "/threads/abc/state", "/threads/%ff%00/runs", "/threads/%C2%B2"])
async def test_a_path_id_that_is_no_uuid_is_refused(api: Api, path: str) -> None:
    assert await api.detail("GET", path, status=422) == "Invalid thread ID: must be a UUID"


async def test_a_lone_surrogate_in_a_path_is_refused(api: Api) -> None:
    assert await api.detail("GET", "/threads/\ud800", status=422) == "Invalid thread ID: must be a UUID"


async def test_an_id_may_be_spelt_in_upper_case(api: Api) -> None:
    thread_id = await api.new_thread()
    assert (await api.json("GET", f"/threads/{thread_id.upper()}"))["thread_id"] == thread_id


async def test_head_answers_like_get_without_a_body(api: Api) -> None:
    answer = await api.ask("HEAD", "/info")
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.body) == (200, "")


async def test_head_opens_no_stream(api: Api) -> None:
    thread_id = await api.new_thread()
    run = await api.json("POST", f"/threads/{thread_id}/runs", {"assistant_id": "sequence"}, status=202)
    assert (await api.ask("HEAD", f"/threads/{thread_id}/runs/{run['run_id']}/stream")).status == 405
    assert api.thread_objects.opened == []


async def test_a_preflight_allows_everything_the_clients_need(api: Api) -> None:
    asked = {"origin": "https://a.example", "access-control-request-headers": "x-api-key, content-type"}
    answer = await api.ask("OPTIONS", "/threads", headers=asked)
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.body) == (200, "OK")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == "x-api-key, content-type"
    assert {"GET", "POST", "PATCH", "DELETE", "PUT"} <= set(answer.headers["access-control-allow-methods"].split(", "))


async def test_every_answer_may_be_read_across_origins_also_a_refusal(api: Api) -> None:
    for answer in (await api.ask("GET", "/ok"), await api.ask("GET", "/nowhere")):
        assert isinstance(answer, HttpResponse)
        assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}{}",
        b'{"metadata":{"a":NaN}}',
        b'{"metadata":{"a":-Infinity}}',
        b'{"metadata":{"a":"\\ud800"}}',
        b'{"metadata":{"\\ud800":1}}',
        b'{"metadata":{"a":"\xff"}}',
        b'{"metadata":{"a":"\x00"}}',
        b'{"metadata":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
        b'{"metadata":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"metadata":{"a":' + b"9" * 5000 + b"}}",
        b'\xef\xbb\xbf{"metadata":{}}',
        '{"metadata":{"a":"\ud800"}}',
    ],
)
async def test_a_body_that_is_not_json_is_refused(api: Api, body: bytes | str) -> None:
    assert await api.detail("POST", "/threads", body, status=422) == "Invalid JSON in request body"
    assert api.rows("threads") == 0


async def test_a_number_beyond_floats_is_refused(api: Api) -> None:
    detail = await api.detail("POST", "/threads", b'{"metadata":{"a":1e999}}', status=422)
    assert detail == "Invalid JSON in request body: a number is out of range"


async def test_words_that_look_like_constants_may_stand_in_strings(api: Api) -> None:
    thread = await api.json("POST", "/threads", {"metadata": {"a": "NaN and Infinity"}})
    assert thread["metadata"] == {"a": "NaN and Infinity"}


async def test_large_integers_and_floats_survive(api: Api) -> None:
    metadata = {"big": 12345678901234567890, "f": 1.5e300, "zero": 0, "text": "héllo \u2028 😀"}
    thread = await api.json("POST", "/threads", {"metadata": metadata})
    assert (await api.json("GET", f"/threads/{thread['thread_id']}"))["metadata"] == metadata


async def test_a_nul_character_is_replaced_and_an_escaped_backslash_before_u0000_is_not(api: Api) -> None:
    thread = await api.json(
        "POST", "/threads", rb'{"metadata":{"a":"x\u0000\u0000y","b":"\\u0000","c\u0000":"\\\u0000"}}'
    )
    assert thread["metadata"] == {"a": "x\ufffd\ufffdy", "b": "\\u0000", "c\ufffd": "\\\ufffd"}


async def test_a_body_over_the_limit_is_413_and_names_it() -> None:
    api = Api(Settings(max_body_bytes=100))
    long = {"metadata": {"a": "x" * 100}}
    expected = "The request body is over the limit of 100 bytes (setting MAX_BODY_BYTES)"
    assert await api.detail("POST", "/threads", long, status=413) == expected
    announced = await api.ask("POST", "/threads", b"", headers={"content-length": "101"})
    assert isinstance(announced, HttpResponse)
    assert announced.status == 413
    assert api.rows("threads") == 0


@pytest.mark.parametrize("length", ["abc", "-5", "", "²", "9" * 30])
async def test_a_content_length_that_says_nothing_is_not_believed(api: Api, length: str) -> None:
    answer = await api.ask("POST", "/threads", {}, headers={"content-length": length})
    assert isinstance(answer, HttpResponse)
    assert answer.status == 200


async def test_an_unexpected_error_reaches_the_caller_as_an_id_and_the_log_with_its_traceback(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    api.registry.graphs["sequence"] = None  # type: ignore[assignment]
    thread_id = await api.new_thread(metadata={"graph_id": "sequence"})
    detail = await api.detail("GET", f"/threads/{thread_id}/state", status=500)
    [record] = caplog.records
    assert detail == f"Internal error {record.error_id}. The server's log says more."  # type: ignore[attr-defined]
    assert record.exc_info


async def test_an_error_of_ours_that_is_no_ones_fault_reaches_the_caller_as_an_id_too(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(graph_id: str, purpose: object) -> None:
        raise GraphLoadError("graph sequence: secret words")

    monkeypatch.setattr(api.registry, "open", broken)
    thread_id = await api.new_thread(metadata={"graph_id": "sequence"})
    detail = await api.detail("GET", f"/threads/{thread_id}/state", status=500)
    assert detail.startswith("Internal error ")
    assert "secret words" in caplog.text


async def test_a_database_that_fails_is_503_and_its_words_stay_in_the_log(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def batch(self, statements: object) -> list[object]:
            raise DatabaseError("D1_ERROR: secret words")

    api.services = type(api.services)(
        **{name: getattr(api.services, name) for name in api.services.__dataclass_fields__} | {"db": Broken()}
    )
    answer = await api.ask("POST", "/threads", {})
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "secret" not in answer.body
    assert "secret" in caplog.text
