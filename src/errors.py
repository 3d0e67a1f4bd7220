"""Every error that Superstep raises on purpose. The class says when, and which HTTP status a caller sees."""

import re
from collections.abc import Mapping
from typing import ClassVar, Final


class SuperstepError(Exception):
    """The base of all errors with a message for the caller or the operator."""

    #: The HTTP status of the response.
    status: ClassVar[int] = 500
    #: Whether the same call may succeed later without a change.
    retryable: ClassVar[bool] = False


def passes(error: BaseException) -> bool:
    """Whether the same may succeed later without a change: a warning, since no operator is needed."""
    return isinstance(error, SuperstepError) and error.retryable


class BadRequest(SuperstepError):
    """The request is well-formed and cannot be carried out."""

    status = 400


class NotFound(SuperstepError):
    """The resource does not exist, or is out of the caller's reach."""

    status = 404


class AccessRefused(SuperstepError):
    """The caller is unknown or may not do this. A project's own handler chooses the status, message and headers."""

    def __init__(self, code: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.headers = dict(headers or {})


class MethodNotAllowed(SuperstepError):
    """The path exists, this method on it does not."""

    status = 405

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__("Method Not Allowed")
        self.allowed = allowed


class Conflict(SuperstepError):
    """The present state of a thread or assistant forbids it, or the id is taken."""

    status = 409


class PayloadTooLarge(SuperstepError):
    """The body is over the limit of the `MAX_BODY_BYTES` setting."""

    status = 413


class Unprocessable(SuperstepError):
    """The body, a query parameter or a path id has the wrong form, or asks for something unsupported.

    Never a 5xx instead, because the JavaScript SDK retries those.
    """

    status = 422


#: Parts of D1's messages about a refused batch: SQLite's codes, a check before SQLite, or too many calls by this
#: invocation. Every other message is about the connection (overloaded, reset, connection lost, …).
_REFUSAL: Final = re.compile(
    r"SQLITE_(?!BUSY|LOCKED|IOERR|INTERRUPT)|D1_TYPE_ERROR|maximum (DB size|account storage)"
    r"|Too many (API requests|subrequests)"
)


class DatabaseError(SuperstepError):
    """D1 refused a batch, and nothing of it was written. It may succeed later, when other rows are stored."""

    status = 503
    retryable = True

    @staticmethod
    def saying(message: str) -> "DatabaseError":
        """The error for a message of the database, which is all that the database says."""
        if "too big" in message:
            return ValueTooLarge(f"A value is too big: what is stored in one row may have 2 MB. {message}")
        return DatabaseError(message) if _REFUSAL.search(message) else DatabaseUnavailable(message)


class DatabaseUnavailable(DatabaseError):
    """D1 did not answer: the batch was committed either completely or not at all. The same batch may succeed later."""


class ValueTooLarge(DatabaseError):
    """A value or a row exceeds the database's 2 MB, so it can never be stored; nothing of the batch was written."""

    status = 413
    retryable = False


class StorageUnavailable(SuperstepError):
    """The object's own storage refused: the platform has cut this incarnation off, and another one takes its place."""

    status = 503
    retryable = True


class Unavailable(SuperstepError):
    """A queue or a thread's object did not take a call. What was written before stays, and is looked at again later."""

    status = 503
    retryable = True


class IllegalTransition(SuperstepError):
    """A change of a run's status that `runs/lifecycle.py` does not allow; nothing was changed."""


class GraphLoadError(SuperstepError):
    """An entry of langgraph.json that cannot be served; the message names it and the reason."""


class StaleAttempt(SuperstepError):
    """A later attempt of the run has taken over; nothing of the batch was written."""


class CheckpointTooLarge(SuperstepError):
    """A checkpoint's metadata and channel names alone exceed a database row; values of any size are fine."""


class UnknownCheckpointFormat(SuperstepError):
    """A stored checkpoint was written by a later release than this one can read."""


class CheckpointIncomplete(SuperstepError):
    """A checkpoint names a channel value that is not in the database."""
