"""What all request bodies share: how they are parsed, and how refusals are worded."""

import json
import re
from typing import Annotated, Any, Final, NoReturn, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError, from_json

import ids
from errors import Unprocessable

JsonObject: TypeAlias = dict[str, Any]

INVALID_JSON: Final = "Invalid JSON in request body"

#: The largest page that a caller may ask for, as in the LangGraph SDKs.
MAX_LIMIT: Final = 1000
#: Larger than any list. From 2**53 - 1 on, a number would become a BigInt in JavaScript, which D1 refuses.
MAX_OFFSET: Final = 2**31 - 1

#: `\u0000` in a JSON string: the backslash before `u` is not itself escaped.
_NUL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def _uuid(kind: str) -> AfterValidator:
    def check(text: str) -> str:
        canonical = ids.canonical(text)
        if canonical is None:
            raise PydanticCustomError("uuid", "Invalid {kind} ID: must be a UUID", {"kind": kind})
        return canonical

    return AfterValidator(check)


ThreadId: TypeAlias = Annotated[str, _uuid("thread"), Field(json_schema_extra={"format": "uuid"})]
RunId: TypeAlias = Annotated[str, _uuid("run"), Field(json_schema_extra={"format": "uuid"})]
AssistantId: TypeAlias = Annotated[str, _uuid("assistant"), Field(json_schema_extra={"format": "uuid"})]
CheckpointId: TypeAlias = Annotated[str, _uuid("checkpoint"), Field(json_schema_extra={"format": "uuid"})]
Limit: TypeAlias = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
Offset: TypeAlias = Annotated[int, Field(ge=0, le=MAX_OFFSET)]


class Body(BaseModel):
    """A request body: strict about types, lenient about unknown fields. None means that a field was not given."""

    model_config = ConfigDict(strict=True, extra="ignore")


BodyT = TypeVar("BodyT", bound=BaseModel)


def parse(model: type[BodyT], body: bytes | str) -> BodyT:
    """Parse a request body. Raises Unprocessable, which names the first wrong field and says what it may be."""
    data = _storable(body)
    if b"NaN" in data or b"Infinity" in data:
        _refuse_constants(data)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise Unprocessable(explain(error)) from error


def parse_json(body: bytes | str) -> Any:
    """Parse a request body that may be any JSON, under the same rules. Raises Unprocessable if it is not JSON."""
    try:
        return from_json(_storable(body), allow_inf_nan=False)
    except ValueError as error:
        raise Unprocessable(INVALID_JSON) from error


def _storable(body: bytes | str) -> bytes:
    """The body with U+FFFD in place of NUL, which no database accepts."""
    data = body if isinstance(body, bytes) else body.encode(errors="surrogatepass")
    return _NUL.sub(rb"\1\\ufffd", data) if b"\\u0000" in data else data


def _refuse_constants(data: bytes) -> None:
    """Refuse numbers that pydantic accepts and JSON does not have. Their names may also be part of strings."""
    try:
        json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Unprocessable(INVALID_JSON) from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def explain(error: ValidationError) -> str:
    """One sentence about the first error."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return INVALID_JSON
    if first["type"] == "uuid" and len(first["loc"]) <= 1:
        return first["msg"]
    return _sentence(first)


def _sentence(details: ErrorDetails) -> str:
    where = ".".join(str(part) for part in details["loc"]) or "The body"
    if details["type"] == "missing":
        return f'"{where}" is a required property'
    given = ascii(details["input"])
    return f"{where}: {details['msg']}, not {given if len(given) <= 100 else given[:100] + '…'}"
