"""What is stored of an error, so that its handler gets the same one when it is executed again."""

from collections import defaultdict
from http import HTTPStatus
from typing import Any

import pytest
from langgraph._internal._constants import ERROR, ERROR_SOURCE_NODE

from runs.execution import stored_errors


class Refused(Exception):
    def __init__(self, status: Any, **more: Any) -> None:
        super().__init__(status)
        self.more = more


class Slotted(Exception):
    __slots__ = ("code",)


def slotted() -> Slotted:
    error = Slotted("x")
    error.code = 1
    return error


def stored(error: Exception) -> str:
    return dict(stored_errors.described([(ERROR, error), (ERROR_SOURCE_NODE, "node")]))[ERROR_SOURCE_NODE]


@pytest.mark.parametrize("error", [ValueError("x"), KeyError(), Refused(404, why=["gone", None, 1.5])])
def test_an_error_that_comes_back_as_it_is_is_stored(error: Exception) -> None:
    assert stored(error).startswith('["node", ')


@pytest.mark.parametrize(
    "error",
    [Refused(HTTPStatus.NOT_FOUND), Refused((1, 2)), Refused(1, why=defaultdict(list)), Refused({1: 2}), slotted()],
    ids=["enum", "tuple", "defaultdict", "keys", "slots"],
)
def test_of_any_other_one_only_the_node_is(error: Exception) -> None:
    assert stored(error) == "node"
