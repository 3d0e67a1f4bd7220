"""Cross-origin headers."""

from http_messages import cross_origin_headers


def test_any_origin_may_read_when_all_are_allowed() -> None:
    headers = cross_origin_headers("*", "https://a.example")
    assert headers["access-control-allow-origin"] == "*"
    assert "location" in headers["access-control-expose-headers"].split(", ")


def test_only_listed_origins_may_read() -> None:
    allowed = "https://a.example, https://b.example"
    assert cross_origin_headers(allowed, "https://b.example")["access-control-allow-origin"] == "https://b.example"
    assert cross_origin_headers(allowed, "https://c.example") == {"vary": "Origin"}
    assert cross_origin_headers(allowed, None) == {"vary": "Origin"}
