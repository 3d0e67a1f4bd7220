"""The functional API: tasks, saved and returned values of a workflow, interrupts, synchronous functions."""

from typing import Any

from langgraph.func import entrypoint, task
from langgraph.types import RetryPolicy, interrupt

attempts: dict[str, int] = {}


@task
async def double(number: int) -> int:
    return number * 2


@task(retry_policy=RetryPolicy(initial_interval=0.01, max_attempts=2))
async def second_time_lucky(key: str) -> str:
    attempts[key] = attempts.get(key, 0) + 1
    if attempts[key] == 1:
        raise ConnectionError("not yet")
    return "lucky"


@entrypoint()
async def sums(given: dict[str, Any], *, previous: int | None = None) -> Any:
    """Returns one thing and saves another."""
    doubled = [await future for future in [double(number) for number in given["numbers"]]]
    luck = await second_time_lucky(given["key"])
    total = sum(doubled) + (previous or 0)
    return entrypoint.final(value={"doubled": doubled, "total": total, "luck": luck}, save=total)


@task
def shout(text: str) -> str:
    return text.upper()


@entrypoint()
def blocking(text: str) -> dict[str, Any]:
    """As the documentation of LangGraph writes it: nothing is awaited, `result()` waits."""
    futures = [shout(part) for part in text.split()]
    loud = [future.result() for future in futures]
    return {"loud": loud, "answer": interrupt({"approve": loud})}
