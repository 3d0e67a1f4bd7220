"""The one error of the tools: something the developer can put right."""


class SetupError(Exception):
    """A prerequisite is missing or does not fit; the message names it and the remedy."""
