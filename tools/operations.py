"""Every operation of the LangGraph Server API, and the methods of the official clients that call it."""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools import paths

sys.path.insert(0, str(paths.SOURCE))

from api.routing import Route, Router
from errors import SuperstepError
from http_messages import Reply

LIST: Final = Path(__file__).with_name("langgraph_server_operations.csv")


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the list; a method is named as on a client, `runs.join_stream`, and most operations have one."""

    resource: str
    method: str
    path: str
    #: Of langgraph-sdk for Python; empty when it has none.
    python: str
    #: Of @langchain/langgraph-sdk.
    javascript: str

    @property
    def name(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"


def read() -> list[Operation]:
    """The whole list."""
    with LIST.open() as file:
        return [Operation(**row) for row in csv.DictReader(file)]


async def _unserved(_call: object) -> Reply:
    raise NotImplementedError("operations of the list are only matched")


#: Finds rows of the list as requests are routed.
_ROUTER: Final = Router(Route(operation.method, operation.path, "", _unserved) for operation in read())


def asked_for(method: str, path: str) -> str:
    """The name of the operation that a request calls; its path may have a query."""
    if method == "OPTIONS":
        return "OPTIONS /{any}"
    try:
        return f"{method} {_ROUTER.match(method, path.partition('?')[0]).route.path}"
    except SuperstepError:
        return f"{method} (elsewhere)"
