"""Resolves names by DNS over HTTPS, because a Worker has no sockets for DNS."""

from typing import Literal
from urllib.parse import urlencode

from js import AbortSignal, Object, fetch
from pyodide.ffi import JsException, to_js

from errors import Unavailable

TIMEOUT_MILLISECONDS = 5_000


class DnsOverHttps:
    """`ports.DnsResolver`, through a resolver that speaks `application/dns-json`."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def query(self, name: str, kind: Literal["A", "AAAA"]) -> str:
        """See `ports.DnsResolver.query`."""
        url = f"{self._url}?{urlencode({'name': name, 'type': kind})}"
        options = {
            "headers": {"accept": "application/dns-json"},
            "signal": AbortSignal.timeout(TIMEOUT_MILLISECONDS),
        }
        try:
            response = await fetch(url, to_js(options, dict_converter=Object.fromEntries))
            text = str(await response.text())
        except JsException as error:
            raise Unavailable(f"the resolver did not answer: {error.message}") from error
        if not response.ok:
            raise Unavailable(f"the resolver answered {response.status}")
        return text
