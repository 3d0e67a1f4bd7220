"""JSON-RPC 2.0 on the wire, for MCP and A2A."""

from typing import Any, Final, Literal, TypeAlias, TypeGuard

from pydantic import BaseModel

from compact_json import compact_json
from errors import SuperstepError
from wire.bodies import JsonObject

#: The id by which a caller matches responses to its requests.
RequestId: TypeAlias = str | int | None

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602


class JsonRpcMessage(BaseModel):
    """A request, or a notification if it has no `id`."""

    jsonrpc: Literal["2.0"]
    id: RequestId = None
    method: str
    params: JsonObject | None = None


class JsonRpcError(BaseModel):
    """Why a request was refused."""

    code: int
    message: str


class JsonRpcAnswer(BaseModel):
    """The response to a request: either `result` or `error`."""

    jsonrpc: Literal["2.0"]
    id: RequestId
    result: Any = None
    error: JsonRpcError | None = None


class RpcRefusal(SuperstepError):
    """A request that is answered with a JSON-RPC error."""

    status = 400

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def result_text(request_id: RequestId, result: Any) -> str:
    """The response to a request that succeeded; `result` is JSON data."""
    return compact_json({"jsonrpc": "2.0", "id": request_id, "result": result})


def error_text(request_id: RequestId, code: int, message: str) -> str:
    """The response to a request that was refused."""
    return compact_json({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}})


def is_request_id(value: object) -> TypeGuard[RequestId]:
    """Whether JSON data may be the id of a request."""
    return value is None or (isinstance(value, str | int) and not isinstance(value, bool))


def is_object(value: object) -> TypeGuard[JsonObject]:
    """Whether JSON data is an object."""
    return isinstance(value, dict)
