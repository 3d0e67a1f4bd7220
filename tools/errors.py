"""The error of the tools, for problems that the developer can solve."""


class SetupError(Exception):
    """A prerequisite is missing or does not fit; the message names it and the remedy."""
