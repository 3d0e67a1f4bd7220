"""The life of a run."""

from typing import get_args

import pytest
from langgraph_sdk.schema import RunStatus

from errors import IllegalTransition
from runs import lifecycle

LEGAL = {
    ("pending", "running"),
    ("pending", "interrupted"),
    ("pending", "error"),
    ("running", "running"),
    ("running", "success"),
    ("running", "error"),
    ("running", "timeout"),
    ("running", "interrupted"),
}


@pytest.mark.parametrize("current", get_args(RunStatus))
@pytest.mark.parametrize("new", get_args(RunStatus))
def test_exactly_the_legal_transitions_pass(current: RunStatus, new: RunStatus) -> None:
    if (current, new) in LEGAL:
        lifecycle.check("r", current, new)
    else:
        with pytest.raises(IllegalTransition, match=f"run r is {current} and cannot become {new}"):
            lifecycle.check("r", current, new)


def test_finished_are_the_statuses_that_nothing_follows() -> None:
    assert {status for status in get_args(RunStatus) if lifecycle.is_finished(status)} == {
        "success",
        "error",
        "timeout",
        "interrupted",
    }


@pytest.mark.parametrize(
    ("ended", "has_next", "resting"),
    [
        ("success", False, "idle"),
        ("success", True, "interrupted"),
        ("interrupted", False, "idle"),
        ("interrupted", True, "interrupted"),
        ("error", True, "error"),
        ("error", False, "error"),
        ("timeout", True, "error"),
    ],
)
def test_a_thread_rests_as_its_last_run_ended(ended: RunStatus, has_next: bool, resting: str) -> None:
    assert lifecycle.resting_status(ended, has_next=has_next) == resting
