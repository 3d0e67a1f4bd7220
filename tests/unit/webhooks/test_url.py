"""Webhooks go only to the public internet, however an address is written."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import Unprocessable
from project_config.sections import WebhookUrlPolicy
from tests.support.inner_hosts import LOOPBACK, PRIVATE
from webhooks.url import check


def refusal(url: str, **policy: Any) -> str | None:
    try:
        check(url, WebhookUrlPolicy(**policy))
    except Unprocessable as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/a/b?c=d#e",
        "http://example.com:8080",
        "https://example.com./x",
        "https://93.184.216.34/x",
        "https://[2606:2800:220:1:248:1893:25c8:1946]:8443/x",
        "https://xn--bcher-kva.example/",
        "https://example.com/%00%0a",
        "https://0xcafe.example/",
    ],
)
def test_the_public_internet_is_reached(url: str) -> None:
    assert refusal(url) is None


@pytest.mark.parametrize("host", LOOPBACK + PRIVATE)
@pytest.mark.parametrize("form", ["https://{}/x", "http://{}:8080", "http://{}:80/x?y"])
def test_what_only_the_server_can_reach_is_refused(host: str, form: str) -> None:
    reason = refusal(form.format(host))
    assert reason
    assert ("loopback" if host in LOOPBACK else "not on the public internet") in reason


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_is_for_development(host: str) -> None:
    assert refusal(f"http://{host}:8080/x", disable_loopback=False) is None


def test_a_private_host_must_be_listed() -> None:
    assert refusal("http://10.1.2.3/x", disable_loopback=False)
    assert refusal("http://10.1.2.3/x", allowed_domains=("10.1.2.3",)) is None
    assert refusal("http://db.internal/x", allowed_domains=("*.internal",)) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not a url",
        "ftp://example.com/",
        "javascript:alert(1)",
        "https://",
        "https:///x",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/\\..\\",
        "https://exa mple.com/",
        "https://example.com/\n",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://\u24d4xample.com/",
        "https://example.com/\u00e9",
        "https://%31%32%37.0.0.1/",
        "https://[::1/",
        "https://[::1%25eth0]/",
        "https://256.256.256.256/",
        "https://1.2.3.4.5/",
        "https://999999999999/",
        "https://0xzz/",
        "https://08.0.0.1/",
        "https://8_8.8.8.8/",
        "https://9.0x-5/",
        "https://127.0.0.1../",
        "https://a..example.com/",
        "https://./",
        "https://example.com:99999/",
        "https://example.com:x/",
        "/hook/ok?x=1",
        "//example.com/x",
        "https://example.com/" + "x" * 9000,
    ],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    assert refusal(url)


def test_the_projects_own_rules() -> None:
    assert refusal("http://example.com/", require_https=True) == "Webhook must use https"
    assert refusal("https://example.com/", require_https=True) is None
    assert refusal("https://example.com/", allowed_ports=(443,)) is None
    assert refusal("https://example.com:8443/", allowed_ports=(443,))
    assert refusal("http://example.com/", allowed_ports=(443,))
    assert refusal("https://example.com/abc", max_url_length=20) == "Webhook URL too long"
    for host, is_allowed in {"a.example": True, "b.a.example": False, "c.b.example": True, "b.example": False}.items():
        assert (refusal(f"https://{host}/", allowed_domains=("A.example", "*.b.example")) is None) == is_allowed


@given(st.text(max_size=80) | st.text("htps:/.[]@\\0123456789abcdefx%#?" + string.whitespace, max_size=80))
def test_any_text_is_judged(text: str) -> None:
    refusal(text)
    refusal(f"https://{text}")


@given(st.integers(0, 2**32 - 1), st.sampled_from(["{}", "0x{:x}", "0{:o}"]))
def test_a_number_is_the_address_that_it_spells(number: int, form: str) -> None:
    dotted = ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
    assert (refusal(f"https://{form.format(number)}/") is None) == (refusal(f"https://{dotted}/") is None)
