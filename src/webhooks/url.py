"""Which URLs a webhook may be sent to: the server must not become a way into networks that only it can reach.

A host is parsed as the platform's `fetch` parses it (the WHATWG URL standard), so that no other spelling of an address
slips through: `0x7f.1`, `2130706433` and `[::ffff:127.0.0.1]` are all 127.0.0.1. The addresses of a name are checked
before each attempt (docs/decisions/0020).
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from errors import Unprocessable
from project_config.sections import WebhookUrlPolicy

Address: TypeAlias = IPv4Address | IPv6Address

#: The policy if langgraph.json has none.
STRICT_URLS: Final = WebhookUrlPolicy()

DEFAULT_MAX_URL_LENGTH: Final = 8192

#: Networks whose addresses contain an IPv4 address in their last 32 bits: translated by NAT64 or, stateless, by the
#: host itself (SIIT).
_WITH_IPV4: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("::ffff:0:0:0/96"), IPv6Network("::/96"))
#: The only part of IPv6 on the public internet. Not every Python release calls the rest (such as `fec0::1`) private.
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")

#: Names of the machine itself and of private networks.
_PRIVATE_SUFFIXES: Final = ("localhost", "local", "internal", "intranet", "lan", "home.arpa")

#: Other characters are parsed differently by different parsers: backslashes, blanks, control and non-ASCII characters.
_PLAIN: Final = re.compile(r"https?://[A-Za-z0-9._~\-\[\]:]+([/?#][!-\[\]-~]*)?", re.ASCII)


def check(url: str, policy: WebhookUrlPolicy) -> None:
    """Raise Unprocessable with the reason unless a webhook may be sent to `url`."""
    if len(url) > (policy.max_url_length or DEFAULT_MAX_URL_LENGTH):
        raise Unprocessable("Webhook URL too long")
    if url.startswith("/"):
        raise Unprocessable("Relative webhook URLs are not served by Superstep: give the whole URL")
    if policy.require_https and not url.startswith("https://"):
        raise Unprocessable("Webhook must use https")
    if not _PLAIN.fullmatch(url):
        raise Unprocessable(
            "Invalid webhook: it must be an http or https URL in ASCII, without a user name and password"
        )
    try:
        host, port = urlsplit(url).hostname or "", urlsplit(url).port
        address = _address(host)
    except ValueError as error:
        raise Unprocessable(f"Invalid webhook: {error}") from error
    if policy.allowed_ports and (port or (443 if url.startswith("https") else 80)) not in policy.allowed_ports:
        raise Unprocessable("Webhook port blocked: webhooks.url.allowed_ports does not list it")
    _check_host(host.rstrip("."), address, policy)


def name_to_resolve(url: str, policy: WebhookUrlPolicy) -> str | None:
    """The host of a URL that `check` accepted, if the addresses of that host must be checked as well.

    None for an address, for `localhost`, and for a host that langgraph.json lists by name.
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    is_settled = _address(host) is not None or host == "localhost" or _is_listed(host, policy)
    return None if is_settled else host


def check_resolved(host: str, addresses: Iterable[str], policy: WebhookUrlPolicy) -> None:
    """Raise Unprocessable if any address of a host is one that a URL may not name either."""
    for text in addresses:
        address = _address(text)
        is_loopback = address is not None and address.is_loopback
        if policy.disable_loopback if is_loopback else _is_private("", address):
            raise Unprocessable(f"Webhook host blocked: {host} resolves to {text}, which is not on the public internet")


def _check_host(host: str, address: Address | None, policy: WebhookUrlPolicy) -> None:
    allowed = _is_listed(host, policy)
    if policy.allowed_domains and not allowed:
        raise Unprocessable("Webhook host blocked: webhooks.url.allowed_domains does not list it")
    if host == "localhost" or (address is not None and address.is_loopback):
        if policy.disable_loopback:
            raise Unprocessable("Webhook host blocked: loopback IP range (webhooks.url.disable_loopback)")
    elif _is_private(host, address) and not allowed:
        raise Unprocessable(
            "Webhook host blocked: not on the public internet, and not listed in webhooks.url.allowed_domains"
        )


def _is_listed(host: str, policy: WebhookUrlPolicy) -> bool:
    return any(_matches(host, domain.lower()) for domain in policy.allowed_domains)


def _matches(host: str, domain: str) -> bool:
    """Whether an allowed domain, `example.com` or `*.example.com`, covers a host."""
    return host.endswith(domain[1:]) if domain.startswith("*.") else host == domain


def _is_private(host: str, address: Address | None) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return True
    if address is not None:
        return not address.is_global or address.is_multicast
    return "." not in host or any(host.endswith(f".{suffix}") for suffix in _PRIVATE_SUFFIXES)


def _address(host: str) -> Address | None:
    """The address that a host is, with an IPv4 address inside IPv6 extracted; None for a name.

    Raises ValueError if it is neither.
    """
    if ":" in host:
        address = IPv6Address(host)
        is_ipv4 = int(address) > 1 and any(address in network for network in _WITH_IPV4)
        carried = IPv4Address(int(address) & 0xFFFFFFFF) if is_ipv4 else None
        return address.ipv4_mapped or address.sixtofour or carried or address
    labels = host.removesuffix(".").split(".")
    if "" in labels:
        raise ValueError(f"{host!r} has an empty part")
    if not labels[-1].isdigit() and not labels[-1].startswith("0x"):
        return None
    numbers = [_number(label) for label in labels]
    if len(numbers) > 4 or any(number > 255 for number in numbers[:-1]):
        raise ValueError(f"{host!r} is not an address")
    value = numbers[-1] + sum(number << (8 * (3 - place)) for place, number in enumerate(numbers[:-1]))
    if numbers[-1] >= 1 << (8 * (5 - len(numbers))):
        raise ValueError(f"{host!r} is not an address")
    return IPv4Address(value)


def _number(label: str) -> int:
    """One part of an IPv4 address: decimal, octal with a leading 0, or hexadecimal."""
    if not label.isalnum():
        raise ValueError(f"{label!r} is no number")  # `int` takes signs and underscores
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    return int(label, 8 if len(label) > 1 and label.startswith("0") else 10)
