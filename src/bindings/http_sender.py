"""Sends webhooks and spans with the platform's `fetch`."""

from collections.abc import Mapping

from js import AbortSignal, Object, fetch
from pyodide.ffi import JsException, to_js

from errors import Unavailable
from ports import HttpAnswer

#: How long a receiver may take to answer.
TIMEOUT_MILLISECONDS = 20_000


class FetchSender:
    """`ports.HttpSender`. Redirects are not followed, since they could lead anywhere; a 3xx is an ordinary answer."""

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> HttpAnswer:
        """See `ports.HttpSender.post`."""
        options = {
            "method": "POST",
            "headers": dict(headers),
            "body": body,
            "redirect": "manual",
            "signal": AbortSignal.timeout(TIMEOUT_MILLISECONDS),
        }
        try:
            response = await fetch(url, to_js(options, dict_converter=Object.fromEntries))
            # The body is not needed, however long it is, and an unread body would keep the connection open.
            if response.body:
                await response.body.cancel()
        except JsException as error:
            raise Unavailable(f"could not be sent: {error.message}") from error
        return HttpAnswer(int(response.status), response.headers.get("retry-after"))
