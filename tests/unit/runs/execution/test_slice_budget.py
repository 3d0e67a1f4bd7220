from collections.abc import Callable

import pytest

import clock
import d1_usage
from d1_checkpointer import CommittedCheckpoint
from d1_usage import D1Usage
from runs.execution.slice_budget import MAX_BATCHES, SliceBudget


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    now = 1_000_000

    def pass_ms(ms: int) -> None:
        nonlocal now
        now += ms

    monkeypatch.setattr(clock, "now_ms", lambda: now)
    return pass_ms


def test_is_spent_with_its_time(pass_time: Callable[[int], None]) -> None:
    budget = SliceBudget(seconds=2, supersteps=10)
    pass_time(1999)
    assert not budget.drain_requested
    pass_time(1)
    assert budget.drain_requested


def test_is_spent_with_its_supersteps(pass_time: Callable[[int], None]) -> None:
    budget = SliceBudget(seconds=2, supersteps=2)
    budget.count(_committed(""))
    budget.count(_committed("child:1"))
    assert not budget.drain_requested
    budget.count(_committed(""))
    assert budget.drain_requested


def test_is_spent_with_its_cpu() -> None:
    budget = SliceBudget(seconds=2, supersteps=2)
    assert not budget.drain_requested
    budget.cpu.is_scarce = True
    assert budget.drain_requested


def test_is_spent_with_its_calls_of_d1(pass_time: Callable[[int], None]) -> None:
    """Of those that are made for the same run, by whichever task."""
    with d1_usage.counting_on(D1Usage(batches=7)):
        budget = SliceBudget(seconds=2, supersteps=10)
        for _ in range(MAX_BATCHES):
            assert not budget.drain_requested
            d1_usage.count(rows_read=0, rows_written=0, seconds=0)
        assert budget.drain_requested


def test_may_be_drained_before(pass_time: Callable[[int], None]) -> None:
    budget = SliceBudget(seconds=2, supersteps=2)
    budget.request_drain("deploy")
    assert (budget.drain_requested, budget.drain_reason) == (True, "deploy")


def _committed(namespace: str) -> CommittedCheckpoint:
    return CommittedCheckpoint(thread_id="t", checkpoint_ns=namespace, checkpoint_id="c", step=1, run_id="r")
