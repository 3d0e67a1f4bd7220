"""What requests and responses say in their headers."""

import pytest

from http_messages import announced_bytes, cross_origin_headers


@pytest.mark.parametrize(
    ("length", "announced"), [("0", 0), ("17", 17), ("", 0), ("-1", 0), ("1e9", 0), ("²", 0), ("9" * 5000, 0)]
)
def test_a_length_that_is_nonsense_announces_nothing(length: str, announced: int) -> None:
    assert announced_bytes({"content-length": length}) == announced
    assert announced_bytes({}) == 0


def test_any_origin_may_read_when_all_are_allowed() -> None:
    headers = cross_origin_headers("*", "https://a.example")
    assert headers["access-control-allow-origin"] == "*"
    assert "location" in headers["access-control-expose-headers"].split(", ")


def test_only_listed_origins_may_read() -> None:
    allowed = "https://a.example, https://b.example"
    assert cross_origin_headers(allowed, "https://b.example")["access-control-allow-origin"] == "https://b.example"
    assert cross_origin_headers(allowed, "https://c.example") == {"vary": "Origin"}
    assert cross_origin_headers(allowed, None) == {"vary": "Origin"}
