"""Synchronous code that waits, and is cancelled while it waits."""

import asyncio
from concurrent.futures import Future

import pyodide.ffi

from bindings import blocking_calls

blocking_calls.install()


def run_in_executor(call):
    return asyncio.get_running_loop().run_in_executor(None, call)


async def answer(said):
    said.append("asked")
    await asyncio.sleep(0.2)
    said.append("answered")
    return "answer"


async def cancelled(task):
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return
    raise AssertionError("it was not cancelled")


async def test_what_is_waited_for_comes_back_or_is_raised(database):
    def call():
        assert pyodide.ffi.run_sync(answer([])) == "answer"
        try:
            pyodide.ffi.run_sync(failing())
        except KeyError as error:
            return error.args

    async def failing():
        raise KeyError("why")

    assert await run_in_executor(call) == ("why",)


async def test_what_has_not_begun_when_it_is_cancelled_does_not_begin(database):
    said = []
    future = run_in_executor(lambda: said.append("began"))
    future.cancel()
    await asyncio.sleep(0.1)
    assert said == []


async def test_a_cancelled_call_ends_where_it_waits(database):
    said = []

    def call():
        try:
            pyodide.ffi.run_sync(answer(said))
        finally:
            said.append("over")

    task = asyncio.ensure_future(run_in_executor(call))
    await asyncio.sleep(0.1)
    await cancelled(task)
    assert said == ["asked", "over"]
    await asyncio.sleep(0.2)
    assert said == ["asked", "over"]


async def test_whoever_cancels_waits_for_what_goes_on_all_the_same(database):
    said = []

    def call():
        try:
            pyodide.ffi.run_sync(answer(said))
        except asyncio.CancelledError:
            said.append("goes on")
        pyodide.ffi.run_sync(answer(said))

    async def node():
        await run_in_executor(call)

    task = asyncio.create_task(node())
    await asyncio.sleep(0.1)
    await cancelled(task)
    assert said == ["asked", "goes on", "asked", "answered"]


async def test_only_the_call_that_was_cancelled_ends(database):
    one, two = [], []
    calls = [run_in_executor(lambda said=said: pyodide.ffi.run_sync(answer(said))) for said in (one, two)]
    await asyncio.sleep(0.1)
    await cancelled(calls[0])
    assert await calls[1] == "answer"
    assert (one, two) == (["asked"], ["asked", "answered"])


async def test_waiting_for_a_future_ends_as_well(database):
    task = run_in_executor(Future().result)
    await asyncio.sleep(0.1)
    await cancelled(task)
