"""Whether a run may join a busy thread."""

from typing import get_args

import pytest
from langgraph_sdk.schema import MultitaskStrategy

from runs.admission import Admitted, Refused, admit


@pytest.mark.parametrize("strategy", get_args(MultitaskStrategy))
def test_an_idle_thread_admits_any_run(strategy: MultitaskStrategy) -> None:
    assert isinstance(admit(strategy, is_busy=False), Admitted)


def test_a_busy_thread_decides_by_strategy() -> None:
    assert admit("enqueue", is_busy=True) == Admitted()
    assert admit("reject", is_busy=True) == Refused()
    assert admit("interrupt", is_busy=True) == Admitted(stop="interrupt")
    assert admit("rollback", is_busy=True) == Admitted(stop="rollback")
