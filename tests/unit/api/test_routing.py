"""Matching paths to routes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import system
from api.routes import ROUTER, ROUTES
from api.routing import Route, Router
from errors import MethodNotAllowed, NotFound


def a_route(method: str, path: str) -> Route:
    return Route(method, path, "", system.ok)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_found_by_its_own_path(route: Route) -> None:
    path = "/".join("a%2Fb" if segment.startswith("{") else segment for segment in route.path.split("/"))
    match = ROUTER.match(route.method, path)
    assert match.route is route
    assert set(match.parameters.values()) <= {"a/b"}


def test_parameters_are_named_by_the_route_that_matched() -> None:
    router = Router([a_route("GET", "/x/{a}"), a_route("POST", "/x/{b}")])
    assert router.match("GET", "/x/1").parameters == {"a": "1"}
    assert router.match("POST", "/x/1").parameters == {"b": "1"}


def test_a_literal_that_leads_nowhere_gives_way_to_a_parameter() -> None:
    router = Router([a_route("GET", "/x/{a}/y"), a_route("GET", "/x/search")])
    assert router.match("GET", "/x/search/y").parameters == {"a": "search"}


def test_the_methods_of_a_path_are_listed() -> None:
    router = Router([a_route("POST", "/x"), a_route("GET", "/x")])
    with pytest.raises(MethodNotAllowed) as refused:
        router.match("PUT", "/x")
    assert refused.value.allowed == ("GET", "POST")


def test_an_empty_segment_is_no_parameter() -> None:
    with pytest.raises(NotFound):
        Router([a_route("GET", "/x/{a}")]).match("GET", "/x/")


def test_the_same_operation_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match=r"GET /x/\{b\} is listed twice"):
        Router([a_route("GET", "/x/{a}"), a_route("GET", "/x/{b}")])


@given(method=st.sampled_from(["GET", "HEAD", "POST", "TRACE", ""]), path=st.text())
def test_any_path_is_matched_or_refused(method: str, path: str) -> None:
    with contextlib.suppress(NotFound, MethodNotAllowed):
        ROUTER.match(method, path)
