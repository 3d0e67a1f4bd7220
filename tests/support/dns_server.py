"""A DNS-over-HTTPS resolver on this machine with the names that tests give it; it speaks `application/dns-json`."""

from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from tests.support.local_http import Answer, LocalHttp, Request
from tests.support.webhook_outside import dns_json

NXDOMAIN = '{"Status": 3, "TC": false}'


class DnsServer(LocalHttp):
    """Names that nobody has told it do not exist."""

    def __init__(self) -> None:
        super().__init__()
        self._addresses: dict[str, Sequence[str]] = {}

    @property
    def url(self) -> str:
        """What goes into DNS_RESOLVER_URL."""
        return f"{super().url}/dns-query"

    def tell(self, name: str, *addresses: str) -> None:
        """Let a name have these addresses from now on."""
        with self._changed:
            self._addresses[name] = addresses

    def answer(self, request: Request) -> Answer:
        """See `LocalHttp`."""
        if request.headers.get("accept") != "application/dns-json":
            return Answer(415)
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        with self._changed:
            addresses = self._addresses.get(query["name"])
        text = NXDOMAIN if addresses is None else dns_json(query["name"], query["type"], addresses)
        return Answer(200, text, {"content-type": "application/dns-json"})
