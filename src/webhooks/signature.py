"""The headers by which a receiver identifies a webhook: its id, the time of the attempt, and the signature.

They follow the Standard Webhooks specification 1.0 with symmetric signatures (`v1`), so that its libraries verify them.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Sequence


def headers(delivery_id: str, body: str, *, secrets: Sequence[bytes], at: int) -> dict[str, str]:
    """The `webhook-*` headers of an attempt at the Unix time `at`, with one signature for each secret."""
    signed = f"{delivery_id}.{at}.{body}".encode()
    signatures = (b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in secrets)
    signature = " ".join(f"v1,{each}" for each in signatures)
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(at),
        **({"webhook-signature": signature} if signature else {}),
    }
