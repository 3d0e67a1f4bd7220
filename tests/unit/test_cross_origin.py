"""Which origins may call: the rules of the settings, and those of langgraph.json."""

import cross_origin
from project_config.sections import CorsConfig

A, B, C = "https://a.example", "https://b.example", "https://c.example"
CREDENTIALS = "access-control-allow-credentials"
ORIGIN = "access-control-allow-origin"


def test_any_site_may_read_by_default() -> None:
    headers = cross_origin.policy(None, "*").response_headers(A)
    assert headers[ORIGIN] == "*"
    assert CREDENTIALS not in headers
    assert {"content-location", "location"} <= set(headers["access-control-expose-headers"].split(", "))


def test_only_listed_sites_may_read() -> None:
    policy = cross_origin.policy(None, f"{A}, {B}")
    assert policy.response_headers(B)[ORIGIN] == B
    assert policy.response_headers(C) == policy.response_headers(None) == {"vary": "Origin"}


def test_the_sites_of_langgraph_json_count_alone_and_may_match_a_pattern() -> None:
    config = CorsConfig(allow_origins=(A,), allow_origin_regex="https://.*[.]b[.]example", allow_credentials=True)
    policy = cross_origin.policy(config, "*")
    assert policy.response_headers(A)[ORIGIN] == A
    assert policy.response_headers("https://x.b.example")[ORIGIN] == "https://x.b.example"
    assert policy.response_headers("https://x.b.example.evil.example") == {"vary": "Origin"}
    assert policy.response_headers(A)[CREDENTIALS] == "true"


def test_a_preflight_is_refused_with_what_is_wrong() -> None:
    policy = cross_origin.policy(CorsConfig(allow_origins=(A,), allow_methods=("get",), allow_headers=("X-A",)), "*")
    asked = {"origin": B, "access-control-request-method": "POST", "access-control-request-headers": "x-a, x-b"}
    refused = policy.preflight(asked)
    assert (refused.status, refused.body) == (400, "Disallowed CORS origin, method, headers")
    allowed = policy.preflight(
        {"origin": A, "access-control-request-method": "GET", "access-control-request-headers": "x-a"}
    )
    assert (allowed.status, allowed.headers["access-control-allow-methods"]) == (200, "GET")
    assert allowed.headers["access-control-allow-headers"] == "x-a"


def test_methods_and_headers_that_nobody_restricts_are_all_allowed() -> None:
    asked = {"origin": A, "access-control-request-method": "DELETE", "access-control-request-headers": "x-api-key"}
    answer = cross_origin.policy(CorsConfig(allow_origins=(A,), max_age=7), "*").preflight(asked)
    assert (answer.status, answer.body) == (200, "OK")
    assert "DELETE" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == "x-api-key"
    assert answer.headers["access-control-max-age"] == "7"
