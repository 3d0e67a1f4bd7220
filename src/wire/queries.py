"""Query parameters: pydantic models of the name-value pairs in a URL."""

from collections.abc import Iterable
from typing import TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from errors import Unprocessable
from wire.bodies import explain
from wire.texts import storable


class Query(BaseModel):
    """The query of a route. For a repeated parameter, a field with a list type has all values, any other the last."""

    model_config = ConfigDict(extra="ignore")


QueryT = TypeVar("QueryT", bound=BaseModel)


def parse(model: type[QueryT], pairs: Iterable[tuple[str, str]]) -> QueryT:
    """Parse a query. Raises Unprocessable, which names the first wrong parameter and says what it may be."""
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(storable(value))
    fields = {
        name: values if get_origin(model.model_fields[name].annotation) is list else values[-1]
        for name, values in given.items()
        if name in model.model_fields
    }
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise Unprocessable(explain(error)) from error
