"""LangGraph's functional API: parallel tasks, and values saved for the next run on the thread."""

import asyncio

from langgraph.func import entrypoint, task


@task
async def square(number: int) -> int:
    return number * number


@entrypoint()
async def workflow(numbers: list[int], *, previous: int | None = None) -> entrypoint.final[list[int], int]:
    squares = await asyncio.gather(*(square(number) for number in numbers))
    total = (previous or 0) + sum(squares)
    return entrypoint.final(value=[*squares, total], save=total)
