"""The headers of requests and responses."""

import pytest

from http_messages import announced_bytes


@pytest.mark.parametrize(
    ("length", "announced"), [("0", 0), ("17", 17), ("", 0), ("-1", 0), ("1e9", 0), ("²", 0), ("9" * 5000, 0)]
)
def test_a_length_that_is_nonsense_announces_nothing(length: str, announced: int) -> None:
    assert announced_bytes({"content-length": length}) == announced
    assert announced_bytes({}) == 0
