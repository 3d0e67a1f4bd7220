"""The event loop inside workerd: order, waiting in the middle of a turn, timers, and others' turns."""

import asyncio
import gc
import weakref
from collections import deque

from js import setTimeout
from pyodide.ffi import create_once_callable

from bindings.event_loop import CALLBACKS_PER_TURN, in_order, run_sync


async def test_callbacks_run_in_the_order_in_which_they_were_scheduled(database):
    loop, seen = asyncio.get_running_loop(), []

    def say(word, *following):
        seen.append(word)
        for later in following:
            loop.call_soon(say, later)

    loop.call_soon(say, "a", "c", "d")
    loop.call_soon(say, "b", "e")
    await asyncio.gather(*(asyncio.sleep(0) for _ in range(3)))
    await asyncio.sleep(0)
    assert seen == ["a", "b", "c", "d", "e"]


async def test_what_is_ready_goes_on_while_a_callback_waits(database):
    here = asyncio.Event()
    waited = asyncio.Event()

    def wait():
        run_sync(here.wait())
        asyncio.get_running_loop().call_soon(waited.set)

    asyncio.get_running_loop().call_soon(wait)
    asyncio.get_running_loop().call_soon(here.set)
    await asyncio.wait_for(waited.wait(), 5)


async def test_two_that_wait_may_go_on_in_any_order(database):
    events = {name: asyncio.Event() for name in "ab"}

    async def waits(name):
        await asyncio.sleep(0)
        run_sync(events[name].wait())
        await asyncio.sleep(0)

    both = {name: asyncio.create_task(waits(name)) for name in "ab"}
    for name in "ba":
        await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_soon(events[name].set)
        await asyncio.wait_for(both[name], 5)


async def test_what_fails_or_exits_takes_nothing_along(database):
    loop, seen = asyncio.get_running_loop(), []
    problems = []
    loop.set_exception_handler(lambda _, context: problems.append(type(context["exception"])))
    for call in (lambda: 1 / 0, exit_, lambda: seen.append("later")):
        loop.call_soon(call)
    loop.call_soon(seen.append, "cancelled").cancel()
    await asyncio.sleep(0.001)
    loop.set_exception_handler(None)
    assert (seen, problems) == (["later"], [ZeroDivisionError])


def exit_():
    raise SystemExit(1)


async def test_timers_run_unless_they_were_cancelled(database):
    loop, seen = asyncio.get_running_loop(), []
    fired = loop.call_later(0.01, seen.append, "fired")
    loop.call_later(0.01, seen.append, "cancelled").cancel()
    loop.call_later(float("inf"), seen.append, "never").cancel()
    await asyncio.sleep(0.05)
    fired.cancel()
    assert seen == ["fired"]


async def test_a_cancelled_timer_is_gone(database):
    handle = asyncio.get_running_loop().call_later(60, print)
    timer = weakref.ref(handle)
    handle.cancel()
    del handle
    gc.collect()
    assert timer() is None


async def test_a_time_limit_is_kept(database):
    try:
        async with asyncio.timeout(0.1):
            await asyncio.sleep(60)
    except TimeoutError:
        return
    raise AssertionError("nothing was cut off")


async def test_who_never_waits_leaves_javascript_its_turns(database):
    called = []
    setTimeout(create_once_callable(lambda: called.append(1)), 0)
    async with asyncio.timeout(5):
        while not called:  # noqa: ASYNC110 - this is who never waits
            await asyncio.sleep(0)


async def test_a_turn_that_is_over_goes_on_with_the_next(database):
    for _ in range(3 * CALLBACKS_PER_TURN):
        await asyncio.sleep(0)


async def test_calls_of_one_object_keep_one_order_whoever_pauses(database):
    seen = []

    async def spin():
        for _ in range(CALLBACKS_PER_TURN + 10):
            await asyncio.sleep(0)
        seen.append("spun")

    async def answer():
        await asyncio.sleep(0.001)  # it is time while the other's turn is running: this begins while that pauses
        for _ in range(CALLBACKS_PER_TURN - 10):
            await asyncio.sleep(0)
        seen.append("answered")

    with in_order(deque()):
        await asyncio.gather(answer(), spin())
    assert seen == ["spun", "answered"]
