"""Whether a run may join a busy thread."""

from typing import get_args

import pytest
from langgraph_sdk.schema import MultitaskStrategy

from runs.admission import Admitted, Refused, admit


@pytest.mark.parametrize("strategy", get_args(MultitaskStrategy))
def test_an_idle_thread_admits_any_run(strategy: MultitaskStrategy) -> None:
    assert admit(strategy, []) == Admitted()


def test_a_busy_thread_decides_by_strategy() -> None:
    busy = ["r1", "r2"]
    assert admit("enqueue", busy) == Admitted()
    assert admit("reject", busy) == Refused()
    assert admit("interrupt", busy) == Admitted(("r1", "r2"), "interrupt")
    assert admit("rollback", busy) == Admitted(("r1", "r2"), "rollback")
