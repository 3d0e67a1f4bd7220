"""Every error Superstep raises on purpose; the class says when, and which HTTP status a caller sees."""

import re
from collections.abc import Mapping
from typing import ClassVar, Final


class SuperstepError(Exception):
    """Base of all errors with a message meant for the caller or the operator."""

    #: HTTP status of the answer when this reaches the HTTP boundary.
    status: ClassVar[int] = 500
    #: Whether the same call may succeed later without a change.
    retryable: ClassVar[bool] = False


def passes(error: BaseException) -> bool:
    """Whether what failed may succeed later without a change; then nobody need be called for it."""
    return isinstance(error, SuperstepError) and error.retryable


class BadRequest(SuperstepError):
    """The request is well-formed and cannot be carried out."""

    status = 400


class NotFound(SuperstepError):
    """What the request names does not exist, or is not the caller's."""

    status = 404


class AccessRefused(SuperstepError):
    """Nobody knows who calls, or they may not do this; a project's own handler chooses status, words and headers."""

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
    """The state of a thread or assistant forbids it just now, or the id is taken."""

    status = 409


class PayloadTooLarge(SuperstepError):
    """The body is over the limit of the `MAX_BODY_BYTES` setting."""

    status = 413


class Unprocessable(SuperstepError):
    """The body, a query parameter or a path id has the wrong shape."""

    status = 422


class NotSupported(SuperstepError):
    """An operation of the LangGraph Server API that Superstep does not serve yet.

    An unserved field of a served operation is Unprocessable instead: the JavaScript SDK retries whatever is a 5xx.
    """

    status = 501


#: In what D1 says when it ran a batch and refused it: SQLite's own code, or a check before it, or that this invocation
#: asks too often. Whatever else it says is of the way there: overloaded, reset, connection lost, and more each year.
_REFUSAL: Final = re.compile(
    r"SQLITE_(?!BUSY|LOCKED|IOERR|INTERRUPT)|D1_TYPE_ERROR|maximum (DB size|account storage)"
    r"|Too many (API requests|subrequests)"
)


class DatabaseError(SuperstepError):
    """D1 refused a batch, and nothing of it was written; from what is stored later it may succeed."""

    status = 503
    retryable = True

    @staticmethod
    def saying(message: str) -> "DatabaseError":
        """The error for what the database said, which is all it tells."""
        if "too big" in message:
            return ValueTooLarge(f"A value is too big: what is stored in one row may have 2 MB. {message}")
        return DatabaseError(message) if _REFUSAL.search(message) else DatabaseUnavailable(message)


class DatabaseUnavailable(DatabaseError):
    """D1 did not answer: the batch was committed, or nothing of it was; the very same batch may succeed later."""


class ValueTooLarge(DatabaseError):
    """A value or a row is over the database's 2 MB: no later try will store it; nothing of the batch was written."""

    status = 413
    retryable = False


class StorageUnavailable(SuperstepError):
    """The object's own storage refused: the platform has cut this incarnation off, and another one goes on."""

    status = 503
    retryable = True


class Unavailable(SuperstepError):
    """A queue or a thread object did not take a call; what was written before stays and will be looked at again."""

    status = 503
    retryable = True


class IllegalTransition(SuperstepError):
    """A run status change that `runs/lifecycle.py` does not know; nothing was changed."""


class GraphLoadError(SuperstepError):
    """An entry of langgraph.json that cannot be served; the message names it and the reason."""


class StaleAttempt(SuperstepError):
    """A later attempt of the run has taken over; nothing of the batch was written."""


class CheckpointTooLarge(SuperstepError):
    """A checkpoint's own frame (metadata, channel names) exceeds a database row; values of any size are fine."""


class UnknownCheckpointFormat(SuperstepError):
    """A stored checkpoint was written by a later release than this one can read."""


class CheckpointIncomplete(SuperstepError):
    """A checkpoint names a channel value that is not in the database."""
