"""The life of a run."""

from typing import get_args

import pytest
from langgraph_sdk.schema import RunStatus

from errors import IllegalTransition
from runs import lifecycle

NEXT = (*get_args(RunStatus), "gone")


@pytest.mark.parametrize("current", get_args(RunStatus))
@pytest.mark.parametrize("new", NEXT)
def test_exactly_the_legal_transitions_pass(current: RunStatus, new: lifecycle.Next) -> None:
    if new in lifecycle.TRANSITIONS[current]:
        lifecycle.check("r", current, new)
    else:
        with pytest.raises(IllegalTransition, match=f"run r is {current} and cannot become {new}"):
            lifecycle.check("r", current, new)


def test_nothing_follows_an_end_but_a_redrive_and_being_deleted() -> None:
    finished = {status for status in get_args(RunStatus) if lifecycle.is_finished(status)}
    assert finished == {"success", "error", "timeout", "interrupted"}
    followed = {(status, new) for status in finished for new in lifecycle.TRANSITIONS[status] - {"gone"}}
    assert followed == {("error", "pending")}


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
