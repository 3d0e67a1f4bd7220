"""Texts from a URL, made safe to store."""


def storable(text: str) -> str:
    """The text without what no database takes: NUL becomes U+FFFD, a lone surrogate becomes `?`."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")
