"""Makes texts from a URL safe to store."""


def storable(text: str) -> str:
    """The text without characters that no database accepts: NUL becomes U+FFFD, a lone surrogate becomes `?`."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")
