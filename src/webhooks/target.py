"""Whether a webhook may be sent to its URL, judged by the URL and by the present addresses of its host.

`fetch` resolves the name again and cannot be given an address, so a name that changes within that moment gets past the
check (docs/decisions/0020).
"""

import asyncio
import json
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final, Literal

from errors import Unavailable
from ports import DnsResolver
from project_config.sections import WebhookUrlPolicy
from webhooks import url as webhook_url

#: Record types by name (RFC 1035, RFC 3596).
_TYPES: Final[dict[Literal["A", "AAAA"], int]] = {"A": 1, "AAAA": 28}


async def check(url: str, policy: WebhookUrlPolicy, resolver: DnsResolver) -> None:
    """Raise Unprocessable with the reason if a webhook may not be sent to `url`, Unavailable if it is unknown."""
    webhook_url.check(url, policy)
    host = webhook_url.name_to_resolve(url, policy)
    if host is None:
        return
    found = await asyncio.gather(*(_addresses(resolver, host, kind) for kind in _TYPES))
    addresses = [address for each in found for address in each]
    if not addresses:
        raise Unavailable(f"{host} has no address")
    webhook_url.check_resolved(host, addresses, policy)


async def _addresses(resolver: DnsResolver, host: str, kind: Literal["A", "AAAA"]) -> Sequence[str]:
    text = await resolver.query(host, kind)
    try:
        answer = json.loads(text)
        status, records = answer["Status"], answer.get("Answer") or []
        addresses = [str(ip_address(record["data"])) for record in records if record["type"] == _TYPES[kind]]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unavailable(f"the resolver said about {host} what is no application/dns-json") from error
    if status != 0:
        raise Unavailable(f"{host} could not be resolved: DNS status {status}")
    return addresses
