"""A webhook is sent to the present addresses of its host, if all of them are on the public internet."""

import json
from typing import Any

import pytest

from errors import Unavailable, Unprocessable
from project_config.sections import WebhookUrlPolicy
from tests.support.inner_hosts import LOOPBACK, PRIVATE
from tests.support.webhook_outside import URL, Names, dns_json
from webhooks import target as webhook_target

PUBLIC = "93.184.216.34"

#: Those spellings that a resolver would use.
REFUSED = [host.strip("[]") for host in LOOPBACK + PRIVATE if host.count(".") == 3 and host[-1].isdigit()] + [
    host.strip("[]") for host in LOOPBACK + PRIVATE if ":" in host
]


async def check(names: Names, url: str = URL, **policy: Any) -> None:
    await webhook_target.check(url, WebhookUrlPolicy(**policy), names)


async def test_a_public_host_is_asked_for_both_kinds_of_addresses() -> None:
    names = Names()
    await check(names)
    assert sorted(names.asked) == ["hooks.example.com A", "hooks.example.com AAAA"]
    await check(Names([PUBLIC]))
    await check(Names(["2606:2800:220:1:248:1893:25c8:1946"]))


@pytest.mark.parametrize("address", [address for address in REFUSED if not address.startswith("0")])
async def test_one_private_address_is_enough_to_refuse_a_host(address: str) -> None:
    for addresses in ([address], [PUBLIC, address], [address, PUBLIC]):
        with pytest.raises(Unprocessable, match="not on the public internet"):
            await check(Names(addresses))


async def test_loopback_is_for_development() -> None:
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        await check(Names([address]), disable_loopback=False)
    with pytest.raises(Unprocessable):
        await check(Names(["127.0.0.1", "10.0.0.1"]), disable_loopback=False)


@pytest.mark.parametrize(
    ("url", "policy"),
    [
        ("http://93.184.216.34/x", {}),
        ("http://[2606:2800:220:1:248:1893:25c8:1946]/x", {}),
        ("http://127.0.0.1:8080/x", {"disable_loopback": False}),
        ("http://localhost:8080/x", {"disable_loopback": False}),
        ("http://db.internal/x", {"allowed_domains": ("db.internal",)}),
        ("https://hooks.example.com/x", {"allowed_domains": ("*.example.com",)}),
    ],
)
async def test_an_address_and_what_is_listed_are_not_asked_about(url: str, policy: dict[str, Any]) -> None:
    names = Names(["10.0.0.1"])
    await check(names, url, **policy)
    assert names.asked == []


async def test_a_url_that_is_refused_is_not_asked_about_either() -> None:
    names = Names()
    with pytest.raises(Unprocessable):
        await check(names, "http://10.0.0.1/")
    assert names.asked == []


ANSWER = json.loads(dns_json("hooks.example.com", "A", [PUBLIC]))


@pytest.mark.parametrize(
    "says",
    [
        "",
        "no JSON",
        "null",
        "[]",
        "{}",
        json.dumps({"Status": 0}),
        json.dumps({"Status": 3}),
        json.dumps({**ANSWER, "Status": 2}),
        json.dumps({"Status": 0, "Answer": [{}]}),
        json.dumps({"Status": 0, "Answer": [{"type": 1, "data": "example.com."}]}),
        json.dumps({"Status": 0, "Answer": [{"type": 1, "data": "999.1.1.1"}]}),
        json.dumps({"Status": 0, "Answer": [{"type": 5, "data": "other.example."}]}),
    ],
)
async def test_nothing_is_sent_while_nobody_can_tell(says: str) -> None:
    with pytest.raises(Unavailable):
        await check(Names(says=says))
